"""Which of a window's tokens count, and where the model asks to listen again.

Whisper marks the end of each utterance with a timestamp, and the start of the next with another.
Where its last mark is such a pair, it means: what follows was not finished. So, as in
openai/whisper and in Transformers (``_retrieve_segment``), tokens after the last pair are dropped.
"""

from __future__ import annotations


def finished_part(
    tokens: tuple[int, ...], timestamp_begin: int
) -> tuple[tuple[int, ...], int | None]:
    """The tokens that count, and the timestamp, in steps of 0.02 s, to listen again from."""
    marks = [token >= timestamp_begin for token in tokens]
    pairs = [at for at in range(len(marks) - 1) if marks[at] and marks[at + 1]]
    ended_alone = marks[-2:] == [False, True]
    if not pairs or ended_alone:
        return tokens, None
    last = pairs[-1]
    return tokens[: last + 2], tokens[last] - timestamp_begin
