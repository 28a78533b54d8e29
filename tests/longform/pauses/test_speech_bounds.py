from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.longform.pauses.cutting import FRAME_S
from quest22.longform.pauses.speech_bounds import MAX_EXTENSION_S, PAD_S, fitted
from quest22.records import Segment, Word

FRAMES = 200


def speech(*spans: tuple[int, int]) -> np.ndarray:
    """Frames of which those in the spans are speech."""
    flags = np.zeros(FRAMES, bool)
    for start, stop in spans:
        flags[start:stop] = True
    return flags


@pytest.mark.parametrize(
    ("span", "spoken", "bounds"),
    [
        pytest.param((0.0, 3.2), (50, 80), (1.55, 2.61), id="silence at both ends goes"),
        pytest.param((1.6, 2.0), (50, 65), (1.6, 2.13), id="the rest of the last word is added"),
        pytest.param((1.6, 2.0), (50, 90), (1.6, 2.3), id="but not more than 0.3 s"),
        pytest.param((0.0, 1.0), (100, 120), (0.0, 1.0), id="without speech nothing changes"),
    ],
)
def test_bounds(span, spoken, bounds):
    (segment,) = fitted([Segment(*span, " Hello")], speech(spoken), by_words=True)
    assert (segment.start_s, segment.end_s) == bounds


def test_words_decide_about_their_segment():
    words = (Word(0.0, 1.8, " Hello", 1.0), Word(1.8, 2.0, " you", 1.0))
    hello = Segment(0.0, 2.0, " Hello you", words=words)
    (segment,) = fitted([hello], speech((50, 66)), by_words=True)
    assert [(word.start_s, word.end_s) for word in segment.words] == [(1.55, 1.8), (1.8, 2.16)]
    assert (segment.start_s, segment.end_s) == (1.55, 2.16)
    (segment,) = fitted([hello], speech((50, 66)), by_words=False)
    assert [(word.start_s, word.end_s) for word in segment.words] == [(1.55, 1.8), (1.8, 2.16)]
    assert (segment.start_s, segment.end_s) == (1.55, 2.16)


@given(
    times=st.lists(st.integers(0, 630), min_size=2, max_size=12, unique=True),
    flags=st.lists(st.booleans(), min_size=FRAMES, max_size=FRAMES),
)
def test_segments_stay_in_order_and_move_little(times, flags):
    times = sorted(times)[: len(times) // 2 * 2]
    spans = [(a / 100, b / 100) for a, b in zip(times[::2], times[1::2], strict=True)]
    after = fitted([Segment(*span, " word") for span in spans], np.array(flags), by_words=True)
    for (start_s, end_s), segment in zip(spans, after, strict=True):
        assert start_s <= segment.start_s <= segment.end_s <= end_s + MAX_EXTENSION_S + PAD_S
    for before, later in pairwise(after):
        assert before.end_s <= later.start_s
    assert all(segment.end_s <= max(FRAMES * FRAME_S, times[-1] / 100) for segment in after)
