"""Waits are told truly: what the network keeps is the network's, what decoding takes is not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from quest22.audio.pool import decode_ahead
from quest22.metrics import Metrics
from quest22.records import Audio, Clip, Origin
from quest22.settings import AudioSettings

WAIT_S = 0.1
PARTS = ("wait_network", "wait_source", "wait_audio")


class _Decoder:
    """Waits for a network, or works, before each clip's only block."""

    def __init__(self, metrics: Metrics, where: str) -> None:
        self._metrics = metrics
        self._where = where

    def decode(self, clip: Clip) -> Audio:
        def blocks() -> Iterator[np.ndarray]:
            if self._where == "network behind a clip":
                with self._metrics.network_wait():
                    time.sleep(WAIT_S)
            elif self._where == "decoding":
                time.sleep(WAIT_S)
            yield np.zeros(1600, np.float32)

        return Audio(clip, blocks())


def _source(metrics: Metrics, where: str) -> Iterator[Clip]:
    for number in range(3):
        if where == "network before a clip":
            with metrics.network_wait():
                time.sleep(WAIT_S)
        elif where == "source":
            time.sleep(WAIT_S)
        yield Clip(str(number), "n", b"", Origin("test"))


@pytest.mark.parametrize(
    ("where", "part"),
    [
        ("network before a clip", "wait_network"),
        ("network behind a clip", "wait_network"),
        ("source", "wait_source"),
        ("decoding", "wait_audio"),
    ],
)
def test_a_wait_is_called_what_it_is(where: str, part: str) -> None:
    metrics = Metrics()
    settings = AudioSettings(workers=1)
    for audio in decode_ahead(_source(metrics, where), _Decoder(metrics, where), settings, metrics):
        assert isinstance(audio, Audio)
        list(audio.blocks)
    seconds = metrics.seconds()
    others = sum(seconds.get(other, 0.0) for other in PARTS if other != part)
    assert seconds[part] > 2 * others  # of 0.3 s; the rest is threads that wake each other
    assert sum(seconds.get(each, 0.0) for each in PARTS) >= WAIT_S


def test_a_network_wait_counts_while_it_lasts_and_once() -> None:
    metrics, inside, leave = Metrics(), threading.Event(), threading.Event()

    def work() -> None:
        with metrics.network_wait(), metrics.network_wait():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait(10)
    ident = thread.ident or 0
    begun = metrics.network_wait_s(ident)
    assert metrics.network_wait_s(ident) > begun
    leave.set()
    thread.join()
    ended = metrics.network_wait_s(ident)
    assert metrics.network_wait_s(ident) == ended
    assert metrics.network_wait_s(-1) == 0.0
