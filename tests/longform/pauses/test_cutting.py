"""Pieces of speech: nothing loud is lost, only long silences are, and cuts are the best ones."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.longform.pauses.cutting import (
    FRAME_S,
    HALF_PAUSE_FRAMES,
    HORIZON,
    LOUD,
    PIECE_COST,
    CuttingRules,
    PauseCutter,
    Piece,
    Probabilities,
    best_cuts,
    cut_costs,
)

LEVELS = (0.0, 0.1, 0.3, 0.6, 1.0)


@st.composite
def small_rules(draw: st.DrawFn) -> CuttingRules:
    silence = draw(st.integers(1, 30))
    longest = draw(st.integers(4, 12))
    return CuttingRules(
        quiet=draw(st.sampled_from([0.0, 0.2])),
        silence=silence,
        pad=draw(st.integers(0, silence // 2)),
        longest=longest,
        shortest=draw(st.integers(1, longest // 2)),
    )


@st.composite
def recordings(draw: st.DrawFn) -> Probabilities:
    """Stretches of the same probability."""
    runs = draw(st.lists(st.tuples(st.sampled_from(LEVELS), st.integers(1, 40)), max_size=12))
    return np.repeat([level for level, _ in runs], [count for _, count in runs]).astype(np.float32)


def cut(rules: CuttingRules, frames: Probabilities, sizes: list[int]) -> list[Piece]:
    """The pieces, if frames come in blocks of these sizes, and the rest at once."""
    cutter, pieces, at = PauseCutter(rules), [], 0
    for size in [*sizes, len(frames)]:
        pieces += cutter.feed(frames[at : at + size])
        at += size
    return pieces + cutter.flush()


def kept(rules: CuttingRules, frames: Probabilities) -> set[int]:
    """The frames that are not part of a silence, by the definition."""
    loud = np.flatnonzero(frames >= rules.quiet).tolist()
    if not loud:
        return set()
    first, last = loud[0] - rules.pad, loud[-1] + rules.pad
    frames_kept = set(range(max(first, 0), min(last + 1, len(frames))))
    for before, after in pairwise(loud):
        if after - before > rules.silence:
            frames_kept -= set(range(before + 1 + rules.pad, after - rules.pad))
    return frames_kept


@given(small_rules(), recordings(), st.lists(st.integers(1, 50), max_size=8))
def test_pieces_do_not_depend_on_how_frames_come(
    rules: CuttingRules, frames: Probabilities, sizes: list[int]
) -> None:
    assert cut(rules, frames, sizes) == cut(rules, frames, [1] * len(frames))


@given(small_rules(), recordings())
def test_pieces_are_in_order_and_only_long_silences_are_left_out(
    rules: CuttingRules, frames: Probabilities
) -> None:
    pieces = cut(rules, frames, [])
    assert all(0 <= start < stop <= len(frames) for start, stop in pieces)
    assert all(piece.stop - piece.start <= rules.longest for piece in pieces)
    for before, after in pairwise(pieces):
        assert before.stop <= after.start
        if gap := after.start - before.stop:
            assert gap >= rules.silence - 2 * rules.pad or rules.silence > rules.longest
            assert (frames[before.stop : after.start] < rules.quiet).all()
    covered = {frame for piece in pieces for frame in range(*piece)}
    assert covered >= set(np.flatnonzero(frames >= rules.quiet).tolist())


@given(small_rules(), recordings())
def test_all_long_silences_are_left_out(rules: CuttingRules, frames: Probabilities) -> None:
    covered = {frame for piece in cut(rules, frames, []) for frame in range(*piece)}
    if rules.silence <= rules.longest:
        assert covered == kept(rules, frames)
    else:  # a piece may have been cut off inside a silence before its length was known
        assert covered >= kept(rules, frames)


@given(small_rules(), recordings())
def test_what_is_needed_is_little_and_all_that_is_used(
    rules: CuttingRules, frames: Probabilities
) -> None:
    cutter = PauseCutter(rules)
    for at, frame in enumerate(frames):
        needed = cutter.needed_from
        assert at - needed <= max(HORIZON * rules.longest, rules.pad)
        assert all(piece.start >= needed for piece in cutter.feed(np.array([frame])))
    needed = cutter.needed_from
    assert all(piece.start >= needed for piece in cutter.flush())


def test_a_silence_longer_than_two_pieces_is_no_piece_twice() -> None:
    rules = CuttingRules(quiet=0.2, silence=30, pad=3, longest=10, shortest=2)
    frames = np.repeat([1.0, 0.0, 1.0], [16, 30, 5]).astype(np.float32)
    pieces = cut(rules, frames, [])
    assert all(before.stop <= after.start for before, after in pairwise(pieces))
    assert pieces == [(0, 10), (10, 20), (43, 51)]


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([], []),
        ([(0.1, 500)], []),
        ([(0.9, 100)], [(0, 100)]),
        ([(0.0, 50), (0.9, 10), (0.0, 50)], [(34, 76)]),
        ([(0.9, 10), (0.0, 62), (0.9, 10)], [(0, 82)]),
        ([(0.9, 10), (0.0, 63), (0.9, 10)], [(0, 26), (57, 83)]),
        ([(0.9, 10), (0.25, 63), (0.9, 10)], [(0, 83)]),
        ([(0.9, 600), (0.0, 40), (0.9, 600)], [(0, 615), (615, 1240)]),
    ],
)
def test_pieces_by_the_default_rules(
    runs: list[tuple[float, int]], expected: list[tuple[int, int]]
) -> None:
    frames = np.repeat([level for level, _ in runs], [count for _, count in runs])
    assert cut(CuttingRules(), frames.astype(np.float32), []) == expected


def cost(cuts: tuple[int, ...], frames: Probabilities) -> float:
    costs = cut_costs(frames)
    return PIECE_COST * (len(cuts) + 1) + sum(float(costs[at]) for at in cuts)


def all_cuts(count: int, longest: int, shortest: int, start: int = 0) -> list[tuple[int, ...]]:
    """Every way to cut the frames from ``start`` on."""
    found = [()] if shortest <= count - start <= longest else []
    for at in range(start + shortest, min(start + longest, count - 1) + 1):
        found += [(at, *rest) for rest in all_cuts(count, longest, shortest, at)]
    return found


@given(
    st.lists(st.sampled_from(LEVELS), min_size=1, max_size=14),
    st.integers(4, 8),
    st.integers(1, 4),
)
def test_no_other_cuts_cost_less(levels: list[float], longest: int, shortest: int) -> None:
    frames = np.array(levels, np.float32)
    rules = CuttingRules(longest=longest, shortest=min(shortest, longest // 2))
    found = best_cuts(frames, rules)
    if len(frames) <= longest:
        assert found == []
        return
    others = all_cuts(len(frames), longest, rules.shortest)
    assert tuple(found) in others
    assert cost(tuple(found), frames) == pytest.approx(min(cost(each, frames) for each in others))


def test_the_last_piece_may_be_as_short_as_a_second() -> None:
    frames = np.ones(130, np.float32)
    frames[86:99] = 0
    assert best_cuts(frames, CuttingRules(longest=100, shortest=50)) == [92]
    frames = np.roll(frames, 20)
    (at,) = best_cuts(frames, CuttingRules(longest=100, shortest=50))
    assert 130 - at >= 1 / FRAME_S - 0.5


@given(st.lists(st.sampled_from(LEVELS), min_size=1, max_size=60))
def test_the_cost_of_a_cut(levels: list[float]) -> None:
    frames = np.array(levels, np.float32)
    padded = np.pad(frames.astype(float), 4, mode="edge")
    loud = np.flatnonzero(frames >= LOUD)
    for at, found in enumerate(cut_costs(frames)):
        distance = min([HALF_PAUSE_FRAMES, *(abs(at - each) for each in loud)])
        nearness_s = (HALF_PAUSE_FRAMES - distance) * FRAME_S
        assert found == pytest.approx(padded[at : at + 9].mean() + nearness_s)
