"""A clip's text tokens, and the utterances that the model's own timestamps make of them.

Knows nothing of how windows are joined.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from quest22.longform.overlap import TokenIds
from quest22.longform.window_passes import DecodingPass, Vocabulary, WindowPasses


@dataclass(frozen=True, slots=True)
class Utterance:
    """A range of the clip's text tokens, between two timestamps of one pass over a window.

    Times are seconds in the clip; None: the model gave none there.
    """

    tokens: range
    window: int
    passed: DecodingPass
    start_s: float | None
    end_s: float | None

    @property
    def timed(self) -> bool:
        """Whether the model said anything of its time."""
        return self.start_s is not None or self.end_s is not None


def text_tokens(windows: Sequence[WindowPasses], vocabulary: Vocabulary) -> TokenIds:
    """The text tokens of all windows and passes, one after the other: ``[tokens]``."""
    passes = (passed for heard in windows for passed in heard.passes)
    ids = [token for passed in passes for token in passed.tokens if token < vocabulary.eot]
    return np.array(ids, np.int64)


def utterances(windows: Sequence[WindowPasses], vocabulary: Vocabulary) -> Iterator[Utterance]:
    """All utterances that hold text, in order; together they cover :func:`text_tokens`."""
    position = 0
    for index, heard in enumerate(windows):
        for passed in heard.passes:
            for start_s, length, end_s in _spans(heard, passed, vocabulary):
                tokens = range(position, position + length)
                yield Utterance(tokens, index, passed, start_s, end_s)
                position = tokens.stop


def _spans(
    heard: WindowPasses, passed: DecodingPass, vocabulary: Vocabulary
) -> Iterator[tuple[float | None, int, float | None]]:
    """Start, number of text tokens and end of each; an end may be the next one's start too."""
    start_s: float | None = None
    length = 0
    for token in passed.tokens:
        if token < vocabulary.eot:
            length += 1
        elif token >= vocabulary.timestamp_begin:
            time_s = heard.time_s(passed, token, vocabulary.timestamp_begin)
            if length:
                yield start_s, length, time_s
            start_s, length = time_s, 0
    if length:
        yield start_s, length, None
