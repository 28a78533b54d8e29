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

MOST_MB = 8.0


def talk() -> Samples:
    """About a minute of phrases with pauses."""
    pause = np.zeros(12_000, np.float32)
    phrases = recordings("en", 12, longest_s=12.0)
    return np.concatenate([part for phrase in phrases for part in (phrase, pause)])


def read(session: quest22.LiveSession) -> None:
    for _ in session:
        pass


def peaks_mb(whisper: quest22.Transcriber, count: int, rounds: int) -> list[float]:
    """The most memory while so many sessions are fed, in each round."""
    sound = talk()
    sessions = [whisper.live(language="en") for _ in range(count)]
    readers = [threading.Thread(target=read, args=(each,)) for each in sessions]
    for reader in readers:
        reader.start()
    peaks: list[float] = []
    for _ in range(rounds):
        tracemalloc.reset_peak()
        for start in range(0, len(sound), 16_000):
            for each in sessions:
                each.feed(sound[start : start + 16_000])
        peaks.append(tracemalloc.get_traced_memory()[1] / 2**20)
    for each in sessions:
        each.close()
    for reader in readers:
        reader.join()
    return peaks


@pytest.mark.long
def test_a_session_holds_little_however_long_it_lasts() -> None:
    with quest22.Transcriber("nano") as whisper:
        with whisper.live(language="en") as session:  # what the model holds comes first
            session.feed(talk()[: 10 * 16_000])
        tracemalloc.start()
        one, three = peaks_mb(whisper, 1, rounds=2), peaks_mb(whisper, 3, rounds=4)
        tracemalloc.stop()
    assert (max(three) - max(one)) / 2 <= MOST_MB  # without what the engine takes for a window
    assert max(three[2:]) <= max(three[:2]) + 5.0  # what waits in queues, 1 MB each, and chance
