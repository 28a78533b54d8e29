"""Joins neighbouring stretches of tokens whose sound overlaps. Knows nothing of time.

Both stretches heard the same words around the cut, not always alike. Of all the ways to lay the
end of the left one over the start of the right one, the one that agrees most is taken, and the
cut is made in its middle: each side is trusted where it had heard more of what surrounds the word.
The score is that of ``_find_longest_common_sequence`` in Transformers' Whisper tokenizer, so that
the same cut is found: the share of equal tokens among the ``i`` laid over, plus ``i / 10000`` in
favour of longer matches; at least two tokens must agree, and of equal scores the shortest wins.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

TokenIds = NDArray[np.int64]


def shared_middle(left: TokenIds, right: TokenIds) -> tuple[int, int]:
    """Where to leave ``left`` and where to enter ``right``, as positions between their tokens.

    Where nothing agrees, all of both is kept: the end of ``left`` and the start of ``right``.
    """
    shift = _best_shift(left, right)
    if shift is None:
        return len(left), 0
    left_start, right_start = max(0, len(left) - shift), max(0, shift - len(left))
    left_stop = min(len(left), len(left) + len(right) - shift)
    right_stop = min(len(right), shift)
    return (left_start + left_stop) // 2, (right_start + right_stop) // 2


def _best_shift(left: TokenIds, right: TokenIds) -> int | None:
    """How far ``right`` is best pushed over the end of ``left``, in tokens.

    Every pair of equal tokens votes for the one shift that lays them over each other.
    """
    in_left, in_right = np.nonzero(left[:, None] == right[None, :])
    votes = np.bincount(in_right - in_left + len(left), minlength=len(left) + len(right))[1:]
    shifts = np.arange(1, len(votes) + 1)
    scores = np.where(votes > 1, votes / shifts + shifts / 10000.0, 0.0)
    if not scores.any():
        return None
    return int(scores.argmax()) + 1


def join(ids: TokenIds, stretches: Iterable[range]) -> list[range]:
    """What remains of stretches of ``ids`` when each is joined to the next, in order.

    Takes time in proportion to the number of stretches: each meets only its neighbours.
    """
    kept: list[range] = []
    for stretch in stretches:
        if kept:
            last = kept[-1]
            leave, enter = shared_middle(_of(ids, last), _of(ids, stretch))
            kept[-1] = last[:leave]
            kept.append(stretch[enter:])
        else:
            kept.append(stretch)
    return [stretch for stretch in kept if stretch]


def _of(ids: TokenIds, stretch: range) -> TokenIds:
    return ids[stretch.start : stretch.stop]
