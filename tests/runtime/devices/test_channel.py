from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pytest

from quest22.records import Alignment, DecodingOptions, Hypothesis, SearchOptions, Window
from quest22.runtime.devices.channel import Channel
from quest22.runtime.devices.codec import decode, encode
from quest22.runtime.devices.messages import (
    MESSAGES,
    Batch,
    Done,
    Failed,
    Logged,
    Opened,
    Opening,
)
from quest22.settings import EngineSettings
from tests.support.windows import sweep


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    (there_out, here_in), (here_out, there_in) = os.pipe(), os.pipe()
    streams = [os.fdopen(each, "rb") for each in (here_out, there_out)]
    streams += [os.fdopen(each, "wb") for each in (here_in, there_in)]
    yield Channel(streams[0], streams[2]), Channel(streams[1], streams[3])
    for each in streams:
        with suppress(BrokenPipeError):
            each.close()


def test_windows_come_as_they_are(ends: tuple[Channel, Channel]) -> None:
    """Also more of them than a pipe holds, arrays of no samples, and features that are sliced."""
    here, there = ends
    search = SearchOptions(beam_size=3, seed=(1, 2))
    features = np.arange(80 * 6000, dtype=np.float32).reshape(80, 6000)[:, ::2]
    batch = [
        Window(sweep(1, 30.0), 1.5, DecodingOptions("en", words=True, search=search), 3),
        Window(np.zeros(0, np.float32), 0.0, DecodingOptions(None), features=features, frames=9),
    ]
    sending = threading.Thread(target=here.send, args=(Batch(tuple(batch)),))
    sending.start()
    received = there.receive().windows
    sending.join()
    assert [each.fingerprint for each in received] == [each.fingerprint for each in batch]
    assert [each.decoding for each in received] == [each.decoding for each in batch]
    assert np.array_equal(received[1].features, features)
    assert received[0].samples.flags.writeable
    assert there.send(done := heard()) is None
    assert here.receive() == done


def heard() -> Done:
    alignment = Alignment((0.1, float(np.float32(0.3))), (0.5,))
    told = Hypothesis((5, 6), "en", 1.0, -0.1, 1e-9, 0.4, (("en", 0.9), ("ru", 0.1)), alignment)
    return Done((told, Hypothesis((), None, 0.0, 0.0, 0.0)), {"decoder": 0.5}, 2.0)


@pytest.mark.parametrize(
    "message",
    [
        Opening("cuda:1", "a folder", EngineSettings("tiny", devices=("cpu", "cpu")), 20),
        Opened("torch", "cuda", "bfloat16", 8, same_in_any_batch=True),
        Failed("EngineError", "why"),
        Logged("quest22", 30, "«ж»"),
        heard(),
    ],
)
def test_messages_keep_their_types(message: object) -> None:
    found = decode(encode(message), MESSAGES)
    assert found == message
    assert repr(found) == repr(message)


def test_no_other_class_comes_out() -> None:
    with pytest.raises(KeyError, match="Metrics"):
        decode([b'["Metrics", [], []]'], MESSAGES)


def test_the_other_end_is_gone(ends: tuple[Channel, Channel]) -> None:
    here, there = ends
    there._target.close()
    with pytest.raises(EOFError, match="the other process has ended"):
        here.receive()
    there._source.close()
    with pytest.raises(BrokenPipeError):
        here.send("nobody")
