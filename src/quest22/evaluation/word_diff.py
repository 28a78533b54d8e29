"""Two lists of words side by side: which were heard, missed, made up or taken for others.

Aligning is jiwer's, with the fewest errors. Knows words only: no normalisation, no display.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

Kind: TypeAlias = Literal["equal", "substitute", "delete", "insert"]


@dataclass(frozen=True, slots=True)
class DiffSpan:
    """Neighbouring words of one kind, from the reference and from what was heard."""

    kind: Kind
    said: tuple[str, ...]
    heard: tuple[str, ...]


def align(said: Sequence[str], heard: Sequence[str]) -> list[DiffSpan]:
    """Stretches in order; words, which hold no white space, are equal if they are the same."""
    if not said or not heard:
        kind: Kind = "insert" if heard else "delete"
        return [DiffSpan(kind, tuple(said), tuple(heard))] if said or heard else []
    import jiwer

    (chunks,) = jiwer.process_words(" ".join(said), " ".join(heard)).alignments
    return [
        DiffSpan(
            cast("Kind", chunk.type),
            tuple(said[chunk.ref_start_idx : chunk.ref_end_idx]),
            tuple(heard[chunk.hyp_start_idx : chunk.hyp_end_idx]),
        )
        for chunk in chunks
    ]
