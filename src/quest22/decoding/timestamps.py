"""Timestamp tokens of a window: which segments are complete, and where the next window begins.

Whisper ends each segment with a timestamp, and starts the next with another. If its last timestamps
are such a pair, the segment after them is incomplete. Therefore, as in openai/whisper and in
Transformers (``_retrieve_segment``), tokens after the last pair are dropped.
"""

from __future__ import annotations

from collections.abc import Sequence


def pair_timestamps(tokens: Sequence[int], timestamp_begin: int) -> tuple[list[int], bool]:
    """The positions of pairs of consecutive timestamps, each that of the first one.

    The flag says whether the tokens end with a single timestamp.
    """
    timed = [token >= timestamp_begin for token in tokens]
    pairs = [at for at in range(len(timed) - 1) if timed[at] and timed[at + 1]]
    return pairs, timed[-2:] == [False, True]


def drop_unfinished(
    tokens: tuple[int, ...], timestamp_begin: int
) -> tuple[tuple[int, ...], int | None]:
    """The complete tokens, and where the next window begins, in steps of 0.02 s (or None)."""
    pairs, single_ending = pair_timestamps(tokens, timestamp_begin)
    if not pairs or single_ending:
        return tokens, None
    last = pairs[-1]
    return tokens[: last + 2], tokens[last] - timestamp_begin
