from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.longform.packed import PackingChunker

LENGTHS = st.lists(st.integers(1, 40), max_size=12)


def packed(lengths, chunk=40):
    """The stretches of a sound whose samples are their own places, packed."""
    cutter = PackingChunker(chunk)
    ends = np.cumsum([0, *lengths])
    sound = np.arange(ends[-1], dtype=np.float32)
    cuts = []
    for start, end in itertools.pairwise(ends):
        cuts += cutter.feed(sound[start:end])
    cuts += cutter.flush()
    assert cutter.samples_fed == ends[-1]
    return cuts


@pytest.mark.parametrize(
    ("lengths", "windows"),
    [
        ([], []),
        ([10], [10]),
        ([10, 30], [40]),
        ([10, 31], [10, 31]),
        ([20, 15, 10, 40, 1], [35, 10, 40, 1]),
        ([100], [40, 40, 20]),
        ([30, 50], [30, 40, 10]),
    ],
)
def test_a_window_takes_whole_stretches_while_it_has_room(lengths, windows):
    assert [len(cut.samples) for cut in packed(lengths)] == windows


@given(LENGTHS)
def test_no_sample_is_lost_and_windows_are_apart(lengths):
    cuts = packed(lengths)
    samples = [sample for cut in cuts for sample in cut.samples.tolist()]
    assert samples == list(range(sum(lengths)))
    for cut in cuts:
        assert cut.start == cut.samples[0]
        assert (cut.left, cut.right, cut.apart) == (0, 0, True)


@pytest.mark.reference
@given(LENGTHS.filter(bool))
def test_windows_are_those_of_faster_whisper(lengths):
    vad = pytest.importorskip("faster_whisper.vad")
    ends = np.cumsum([0, *lengths])
    chunks = [{"start": a, "end": b} for a, b in itertools.pairwise(ends)]
    sound = np.arange(ends[-1], dtype=np.float32)
    theirs, _ = vad.collect_chunks(sound, chunks, sampling_rate=1, max_duration=40)
    assert [cut.samples.tolist() for cut in packed(lengths)] == [each.tolist() for each in theirs]
