from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.errors import UsageError
from quest22.longform.windowing import Chunk, Chunker, PackingChunker, StrideLengths
from quest22.settings import LongFormSettings


@st.composite
def lengths(draw: st.DrawFn) -> StrideLengths:
    chunk = draw(st.integers(1, 60))
    left = draw(st.integers(0, chunk - 1))
    return StrideLengths(chunk, left, draw(st.integers(0, chunk - 1 - left)))


def chunked(strides: StrideLengths, total: int, blocks: Iterator[int] | None = None) -> list[Chunk]:
    chunker = Chunker(strides)
    samples = np.arange(total, dtype=np.float32)
    chunks: list[Chunk] = []
    while len(samples):
        size = next(blocks) if blocks else total
        chunks += chunker.feed(samples[:size])
        samples = samples[size:]
    assert chunker.samples_fed == total
    return chunks + chunker.flush()


def shape(chunks: list[Chunk]) -> list[tuple[int, int, int, int]]:
    return [(each.start, len(each.samples), each.left, each.right) for each in chunks]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (1.0, [(0, 1.0, 0, 0)]),
        (30.0, [(0, 30, 0, 0)]),
        (31.0, [(0, 30, 0, 5), (20, 11, 5, 0)]),
        (50.0, [(0, 30, 0, 5), (20, 30, 5, 0)]),
        (75.5, [(0, 30, 0, 5), (20, 30, 5, 5), (40, 30, 5, 5), (60, 15.5, 5, 0)]),
    ],
)
def test_default_windows(seconds: float, expected: list[tuple[float, ...]]) -> None:
    chunks = chunked(StrideLengths.of(LongFormSettings()), round(seconds * 16_000))
    assert shape(chunks) == [tuple(round(16_000 * each) for each in row) for row in expected]


@given(lengths(), st.integers(1, 400))
def test_what_is_not_stride_makes_the_clip(strides: StrideLengths, total: int) -> None:
    chunks = chunked(strides, total)
    cores = [each.samples[each.left : len(each.samples) - each.right] for each in chunks]
    assert np.array_equal(np.concatenate(cores), np.arange(total))


@given(lengths(), st.integers(1, 400))
def test_neighbours_share_their_strides(strides: StrideLengths, total: int) -> None:
    chunks = chunked(strides, total)
    for before, after in pairwise(chunks):
        shared = before.right + after.left
        assert before.right == strides.right
        assert after.left == strides.left
        tail = before.samples[len(before.samples) - shared :]
        assert np.array_equal(tail, after.samples[:shared])
    assert chunks[0].left == 0
    assert chunks[-1].right == 0


@given(lengths(), st.integers(1, 300), st.lists(st.integers(1, 90), min_size=1))
def test_blocks_of_any_size_give_the_same_windows(
    strides: StrideLengths, total: int, sizes: list[int]
) -> None:
    chunks = chunked(strides, total, iter(sizes * total))
    whole = chunked(strides, total)
    assert shape(chunks) == shape(whole)
    for one, other in zip(chunks, whole, strict=True):
        assert np.array_equal(one.samples, other.samples)


def test_a_window_comes_as_soon_as_more_sound_follows_it() -> None:
    chunker = Chunker(StrideLengths(10, 2, 2))
    assert chunker.feed(np.zeros(10, np.float32)) == []
    assert shape(chunker.feed(np.zeros(1, np.float32))) == [(0, 10, 0, 2)]
    assert shape(chunker.flush()) == [(6, 5, 2, 0)]


def test_no_sound_no_window() -> None:
    chunker = Chunker(StrideLengths(10, 2, 2))
    assert chunker.feed(np.zeros(0, np.float32)) == []
    assert chunker.flush() == []


def test_windows_are_copies() -> None:
    chunker = Chunker(StrideLengths(4, 1, 1))
    block = np.ones(5, np.float32)
    (first,) = chunker.feed(block)
    block[:] = 7
    chunker.feed(block)
    assert first.samples.tolist() == [1, 1, 1, 1]


def test_strides_that_round_to_a_whole_chunk_are_refused() -> None:
    with pytest.raises(UsageError, match="are too long for a chunk"):
        StrideLengths.of(LongFormSettings(1.00001, (0.5, 0.5)))


@pytest.mark.reference
@given(strides=lengths(), total=st.integers(1, 400))
def test_windows_stand_where_transformers_puts_them(
    chunking: ModuleType, strides: StrideLengths, total: int
) -> None:
    class Features:
        sampling_rate = 16_000

        def __call__(self, samples: np.ndarray, **_options: object) -> dict[str, np.ndarray]:
            return {"samples": samples}

    samples = np.arange(total, dtype=np.float32)
    chunks = chunking.chunk_iter(samples, Features(), strides.chunk, strides.left, strides.right)
    for ours, theirs in zip(chunked(strides, total), chunks, strict=True):
        assert np.array_equal(ours.samples, theirs["samples"])
        assert (len(ours.samples), ours.left, ours.right) == theirs["stride"]


SPAN_LENGTHS = st.lists(st.integers(1, 40), max_size=12)


def packed(lengths, size=40):
    """The spans of a sound whose samples are their own places, packed."""
    chunker = PackingChunker(size)
    ends = np.cumsum([0, *lengths])
    sound = np.arange(ends[-1], dtype=np.float32)
    chunks = []
    for start, end in pairwise(ends):
        chunks += chunker.feed(sound[start:end])
    chunks += chunker.flush()
    assert chunker.samples_fed == ends[-1]
    return chunks


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
def test_a_window_takes_whole_spans_while_it_has_room(lengths, windows):
    assert [len(chunk.samples) for chunk in packed(lengths)] == windows


@given(SPAN_LENGTHS)
def test_no_sample_is_lost_and_windows_are_self_contained(lengths):
    chunks = packed(lengths)
    samples = [sample for chunk in chunks for sample in chunk.samples.tolist()]
    assert samples == list(range(sum(lengths)))
    for chunk in chunks:
        assert chunk.start == chunk.samples[0]
        assert (chunk.left, chunk.right, chunk.self_contained) == (0, 0, True)


@pytest.mark.reference
@given(SPAN_LENGTHS.filter(bool))
def test_windows_are_those_of_faster_whisper(lengths):
    vad = pytest.importorskip("faster_whisper.vad")
    ends = np.cumsum([0, *lengths])
    regions = [{"start": a, "end": b} for a, b in pairwise(ends)]
    sound = np.arange(ends[-1], dtype=np.float32)
    theirs, _ = vad.collect_chunks(sound, regions, sampling_rate=1, max_duration=40)
    assert [chunk.samples.tolist() for chunk in packed(lengths)] == [
        each.tolist() for each in theirs
    ]
