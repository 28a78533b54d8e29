from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.errors import UsageError
from quest22.longform.windowing import Chunk, Chunker, StrideLengths
from quest22.settings import LongFormSettings


@st.composite
def lengths(draw: st.DrawFn) -> StrideLengths:
    chunk = draw(st.integers(1, 60))
    left = draw(st.integers(0, chunk - 1))
    return StrideLengths(chunk, left, draw(st.integers(0, chunk - 1 - left)))


def cut(wanted: StrideLengths, total: int, blocks: Iterator[int] | None = None) -> list[Chunk]:
    cutter = Chunker(wanted)
    samples = np.arange(total, dtype=np.float32)
    cuts: list[Chunk] = []
    while len(samples):
        size = next(blocks) if blocks else total
        cuts += cutter.feed(samples[:size])
        samples = samples[size:]
    assert cutter.samples_fed == total
    return cuts + cutter.flush()


def shape(cuts: list[Chunk]) -> list[tuple[int, int, int, int]]:
    return [(each.start, len(each.samples), each.left, each.right) for each in cuts]


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
    cuts = cut(StrideLengths.of(LongFormSettings()), round(seconds * 16_000))
    assert shape(cuts) == [tuple(round(16_000 * each) for each in row) for row in expected]


@given(lengths(), st.integers(1, 400))
def test_what_is_not_stride_makes_the_clip(wanted: StrideLengths, total: int) -> None:
    cuts = cut(wanted, total)
    cores = [each.samples[each.left : len(each.samples) - each.right] for each in cuts]
    assert np.array_equal(np.concatenate(cores), np.arange(total))


@given(lengths(), st.integers(1, 400))
def test_neighbours_share_their_strides(wanted: StrideLengths, total: int) -> None:
    cuts = cut(wanted, total)
    for before, after in pairwise(cuts):
        shared = before.right + after.left
        assert before.right == wanted.right
        assert after.left == wanted.left
        tail = before.samples[len(before.samples) - shared :]
        assert np.array_equal(tail, after.samples[:shared])
    assert cuts[0].left == 0
    assert cuts[-1].right == 0


@given(lengths(), st.integers(1, 300), st.lists(st.integers(1, 90), min_size=1))
def test_blocks_of_any_size_give_the_same_windows(
    wanted: StrideLengths, total: int, sizes: list[int]
) -> None:
    cuts = cut(wanted, total, iter(sizes * total))
    whole = cut(wanted, total)
    assert shape(cuts) == shape(whole)
    for one, other in zip(cuts, whole, strict=True):
        assert np.array_equal(one.samples, other.samples)


def test_a_window_comes_as_soon_as_more_sound_follows_it() -> None:
    cutter = Chunker(StrideLengths(10, 2, 2))
    assert cutter.feed(np.zeros(10, np.float32)) == []
    assert shape(cutter.feed(np.zeros(1, np.float32))) == [(0, 10, 0, 2)]
    assert shape(cutter.flush()) == [(6, 5, 2, 0)]


def test_no_sound_no_window() -> None:
    cutter = Chunker(StrideLengths(10, 2, 2))
    assert cutter.feed(np.zeros(0, np.float32)) == []
    assert cutter.flush() == []


def test_windows_are_copies() -> None:
    cutter = Chunker(StrideLengths(4, 1, 1))
    block = np.ones(5, np.float32)
    (first,) = cutter.feed(block)
    block[:] = 7
    cutter.feed(block)
    assert first.samples.tolist() == [1, 1, 1, 1]


def test_strides_that_round_to_a_whole_chunk_are_refused() -> None:
    with pytest.raises(UsageError, match="leave nothing of a chunk"):
        StrideLengths.of(LongFormSettings(1.00001, (0.5, 0.5)))


@pytest.mark.reference
@given(wanted=lengths(), total=st.integers(1, 400))
def test_windows_stand_where_transformers_puts_them(
    chunking: ModuleType, wanted: StrideLengths, total: int
) -> None:
    class Features:
        sampling_rate = 16_000

        def __call__(self, samples: np.ndarray, **_options: object) -> dict[str, np.ndarray]:
            return {"samples": samples}

    samples = np.arange(total, dtype=np.float32)
    chunks = chunking.chunk_iter(samples, Features(), wanted.chunk, wanted.left, wanted.right)
    for ours, theirs in zip(cut(wanted, total), chunks, strict=True):
        assert np.array_equal(ours.samples, theirs["samples"])
        assert (len(ours.samples), ours.left, ours.right) == theirs["stride"]
