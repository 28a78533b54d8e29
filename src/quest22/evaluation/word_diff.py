"""Aligns two lists of words: which are equal, substituted, deleted or inserted.

The alignment is jiwer's, with the fewest errors. Knows words only: no normalisation, no display.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

Kind: TypeAlias = Literal["equal", "substitute", "delete", "insert"]


@dataclass(frozen=True, slots=True)
class DiffSpan:
    """Adjacent words of one kind, from the reference and from the hypothesis."""

    kind: Kind
    reference: tuple[str, ...]
    hypothesis: tuple[str, ...]


def align_words(reference: Sequence[str], hypothesis: Sequence[str]) -> list[DiffSpan]:
    """Spans in order. Words must not contain white space; only identical ones are equal."""
    if not reference or not hypothesis:
        kind: Kind = "insert" if hypothesis else "delete"
        span = DiffSpan(kind, tuple(reference), tuple(hypothesis))
        return [span] if reference or hypothesis else []
    import jiwer

    (chunks,) = jiwer.process_words(" ".join(reference), " ".join(hypothesis)).alignments
    return [
        DiffSpan(
            cast("Kind", chunk.type),
            tuple(reference[chunk.ref_start_idx : chunk.ref_end_idx]),
            tuple(hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx]),
        )
        for chunk in chunks
    ]
