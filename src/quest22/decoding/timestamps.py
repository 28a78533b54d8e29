"""Which of a window's tokens count, and where the model asks to listen again.

Whisper marks the end of each utterance with a timestamp, and the start of the next with another.
Where its last mark is such a pair, it means: what follows was not finished. So, as in
openai/whisper and in Transformers (``_retrieve_segment``), tokens after the last pair are dropped.
"""

from __future__ import annotations

from collections.abc import Sequence


def pair_timestamps(tokens: Sequence[int], timestamp_begin: int) -> tuple[list[int], bool]:
    """Where two timestamps follow each other, as positions of the first of the two.

    The flag tells whether the tokens end with a single timestamp.
    """
    marks = [token >= timestamp_begin for token in tokens]
    pairs = [at for at in range(len(marks) - 1) if marks[at] and marks[at + 1]]
    return pairs, marks[-2:] == [False, True]


def finished_part(
    tokens: tuple[int, ...], timestamp_begin: int
) -> tuple[tuple[int, ...], int | None]:
    """The tokens that count, and the timestamp, in steps of 0.02 s, to listen again from."""
    pairs, ended_alone = pair_timestamps(tokens, timestamp_begin)
    if not pairs or ended_alone:
        return tokens, None
    last = pairs[-1]
    return tokens[: last + 2], tokens[last] - timestamp_begin
