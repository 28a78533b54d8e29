"""Which word that came out is which word that was said: an alignment that knows the clock.

Fewest edits, as for word error rates; among alignments with as few, the one in which words come out
soonest after they were said. A word is never matched to one that is said later, so a repeated word
is not taken for one that was still to come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EARLY_S = 1.0
"""A word may come out so much before its end: a text is guessed ahead, and ends are uncertain."""

LATE_S = 900.0
"""A word that comes out later than this is not looked for."""

DELAY_COST = 1e-6
"""Of a second of delay, beside an edit: a day of delays costs less than one."""

_ROUNDING = 1e-10

_MATCH, _DELETE, _INSERT = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Said:
    """A token of the reference and when its word had been said, in seconds."""

    text: str
    end_s: float


@dataclass(frozen=True, slots=True)
class Heard:
    """A token that came out, and when it was committed, in seconds."""

    text: str
    at_s: float


Pair = tuple[int | None, int | None]
"""Indices of a token that was said and of one that was heard; None: deleted, or inserted."""


def align(said: Sequence[Said], heard: Sequence[Heard]) -> list[Pair]:
    """Pairs in order; those with two indices may hold different words, which is a substitution.

    ``said`` is in order of its times. Memory: a byte for each token heard and each that may be it.
    """
    if not said:
        return [(None, number) for number in range(len(heard))]
    ends = np.array([each.end_s for each in said])
    ids = {text: number for number, text in enumerate({each.text for each in said})}
    words = np.array([ids[each.text] for each in said])
    row = np.arange(len(said) + 1, dtype=float)
    moves: list[tuple[int, NDArray[np.uint8]]] = []
    latest_s = -np.inf
    for each in heard:
        latest_s = max(latest_s, each.at_s)
        first = int(np.searchsorted(ends, latest_s - LATE_S))
        last = int(np.searchsorted(ends, latest_s + EARLY_S, side="right"))
        row, move = _next_row(row, each, slice(first, last), words == ids.get(each.text, -1), ends)
        moves.append((first, move))
    return _pairs(len(said), moves)


def _next_row(
    row: NDArray[np.float64],
    heard: Heard,
    near: slice,
    equal: NDArray[np.bool_],
    ends: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Costs with one more token heard, and how each was reached.

    Tokens outside of ``near`` cannot be it; the costs of skipping them are filled in, so that a row
    is always whole.
    """
    inserted = row + 1
    paired = np.full(len(row), np.inf)
    delays = np.abs(heard.at_s - ends[near])
    paired[1:][near] = row[:-1][near] + np.where(equal[near], 0, 1) + DELAY_COST * delays
    best = np.minimum(inserted, paired)
    steps = np.arange(len(row))
    deleted = np.minimum.accumulate(best - steps) + steps
    move = np.where(
        deleted < best - _ROUNDING, _DELETE, np.where(paired <= inserted, _MATCH, _INSERT)
    )
    kept = move[near.start : near.stop + 1].astype(np.uint8)
    return np.minimum(best, deleted), kept


def _pairs(count: int, moves: list[tuple[int, NDArray[np.uint8]]]) -> list[Pair]:
    """Back from the end along the moves; beyond what a row holds, tokens were not heard."""
    pairs: list[Pair] = []
    at, heard = count, len(moves)
    while heard:
        first, row = moves[heard - 1]
        if at - first >= len(row) or (at > first and row[at - first] == _DELETE):
            at -= 1
            pairs.append((at, None))
        elif at > first and row[at - first] == _MATCH:
            at, heard = at - 1, heard - 1
            pairs.append((at, heard))
        else:
            heard -= 1
            pairs.append((None, heard))
    pairs += [(each, None) for each in reversed(range(at))]
    return pairs[::-1]
