"""What a live session holds, with sound fed as fast as it is taken: the worst case."""

from __future__ import annotations

import threading
import tracemalloc

import numpy as np
import pytest

import quest22
from quest22.records import Samples
from tests.support.recordings import NANO_IS_HERE, recordings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not NANO_IS_HERE, reason="without the model nano"),
]

ROUNDS, SESSIONS, MOST_MB = 4, 2, 8.0


def talk() -> Samples:
    """About a minute of phrases with pauses."""
    pause = np.zeros(12_000, np.float32)
    phrases = recordings("en", 12, longest_s=12.0)
    return np.concatenate([part for phrase in phrases for part in (phrase, pause)])


def read(session: quest22.LiveSession) -> None:
    for _ in session:
        pass


def test_a_session_holds_little_however_long_it_lasts() -> None:
    sound = talk()
    with quest22.Transcriber("nano") as whisper:
        with whisper.live(language="en") as session:  # what the model holds comes first
            session.feed(sound[: 10 * 16_000])
        tracemalloc.start()
        sessions = [whisper.live(language="en") for _ in range(SESSIONS)]
        readers = [threading.Thread(target=read, args=(each,)) for each in sessions]
        for reader in readers:
            reader.start()
        peaks_mb: list[float] = []
        for _ in range(ROUNDS):
            tracemalloc.reset_peak()
            for start in range(0, len(sound), 16_000):
                for each in sessions:
                    each.feed(sound[start : start + 16_000])
            peaks_mb.append(tracemalloc.get_traced_memory()[1] / SESSIONS / 2**20)
        tracemalloc.stop()
        for each in sessions:
            each.close()
        for reader in readers:
            reader.join()
    assert max(peaks_mb) <= MOST_MB
    assert max(peaks_mb[ROUNDS // 2 :]) <= max(peaks_mb[: ROUNDS // 2]) + 0.5
