"""Joins overlapping windows: decides which of their tokens make up the text. Knows no engine.

The text tokens of a clip are numbered from 0, window after window; this module handles ranges of
those numbers. A timestamp outside the overlaps splits the text: everything before it is joined and
final. A timestamp in an overlap does not, because the other window has its own: there the spans of
both are joined by their tokens. Without timestamps each window is one span. A self-contained window
splits the text as well.

Which timestamps split the text is decided as in ``_decode_asr`` of Transformers' Whisper tokenizer,
so that the text is the same. This includes a peculiarity: the timestamps of a second pass over a
window are compared with the strides as if the pass began with the window.

Neighbouring spans whose audio overlaps have the same words around the cut, not always with the same
tokens. Of all ways to lay the end of the left one over the start of the right one, the best match
is chosen, and the cut is made in its middle: each side is trusted where it had more context. The
score is that of ``_find_longest_common_sequence`` in the same tokenizer, so that the same cut is
found: the share of equal tokens among the ``i`` laid over, plus ``i / 10000`` in favour of longer
matches; at least two tokens must agree, and of equal scores the shortest wins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from quest22.checkpoint.tokens import TIMESTAMP_STEP_S
from quest22.longform.window_passes import Vocabulary, WindowPasses
from quest22.records import SAMPLE_RATE_HZ

TokenIds = NDArray[np.int64]


def shared_middle(left: TokenIds, right: TokenIds) -> tuple[int, int]:
    """Where to leave ``left`` and where to enter ``right``, as positions between their tokens.

    Without a match, all of both remains: the end of ``left`` and the start of ``right``.
    """
    shift = _best_shift(left, right)
    if shift is None:
        return len(left), 0
    left_start, right_start = max(0, len(left) - shift), max(0, shift - len(left))
    left_stop = min(len(left), len(left) + len(right) - shift)
    right_stop = min(len(right), shift)
    return (left_start + left_stop) // 2, (right_start + right_stop) // 2


def _best_shift(left: TokenIds, right: TokenIds) -> int | None:
    """The best overlap of ``right`` with the end of ``left``, in tokens.

    Every pair of equal tokens votes for the shift that aligns them.
    """
    in_left, in_right = np.nonzero(left[:, None] == right[None, :])
    votes = np.bincount(in_right - in_left + len(left), minlength=len(left) + len(right))[1:]
    shifts = np.arange(1, len(votes) + 1)
    scores = np.where(votes > 1, votes / shifts + shifts / 10000.0, 0.0)
    if not scores.any():
        return None
    return int(scores.argmax()) + 1


@dataclass(slots=True, eq=False)
class SpanJoiner:
    """Joins spans of ``ids``, each to the next; ``ids`` may grow meanwhile.

    ``settled`` are the final ranges, in order. ``open`` is the last span, whose end depends on what
    comes next.
    """

    ids: Sequence[int]
    settled: list[range] = field(default_factory=list)
    open: range | None = None

    def add(self, span: range) -> None:
        """Join the next span to the one before it."""
        if self.open is not None:
            leave, enter = shared_middle(self._tokens(self.open), self._tokens(span))
            self._settle(self.open[:leave])
            span = span[enter:]
        self.open = span

    def flush(self) -> None:
        """End the last span, which remains as it is."""
        if self.open is not None:
            self._settle(self.open)
            self.open = None

    def _settle(self, span: range) -> None:
        if span:
            self.settled.append(span)

    def _tokens(self, span: range) -> TokenIds:
        return np.array(self.ids[span.start : span.stop], np.int64)


@dataclass(slots=True, eq=False)
class Stitcher:
    """Takes windows in order, once each; ``ids`` are the text tokens of all so far."""

    vocabulary: Vocabulary
    ids: list[int] = field(default_factory=list)
    joiner: SpanJoiner = field(init=False)
    _utterance_start_s: float | None = None
    _skipping: bool = False
    _position: int = 0

    def __post_init__(self) -> None:
        self.joiner = SpanJoiner(self.ids)

    @property
    def settled_until(self) -> int:
        """The number of text tokens whose inclusion in the text is decided."""
        span = self.joiner.open
        return self._position if span is None else span.start

    def add(self, window: WindowPasses) -> None:
        """Add the next window, with all passes complete."""
        self.ids += window.text_tokens(self.vocabulary.eot)
        begun = self._position
        for span in self._parted_spans(window):
            self._add(span)
            self.joiner.flush()
            begun = span.stop
        self._add(range(begun, self._position))
        if window.self_contained:
            self.joiner.flush()
        if self.joiner.open is None:
            self._utterance_start_s = None

    def finish(self) -> None:
        """End the text after the last window: everything is settled."""
        self.joiner.flush()

    def _parted_spans(self, window: WindowPasses) -> Iterator[range]:
        """The spans of a window that end at a timestamp which splits the text."""
        overlaps = _Overlaps.of(window, self.vocabulary)
        begun = self._position
        for each in window.passes:
            for token in each.tokens:
                if token < self.vocabulary.eot:
                    self._position += 1
                elif token >= self.vocabulary.timestamp_begin:
                    time_s = window.time_s(each, token, self.vocabulary.timestamp_begin)
                    if self._parts(token, overlaps, time_s):
                        yield range(begun, self._position)
                        begun = self._position

    def _parts(self, token: int, overlaps: _Overlaps, time_s: float) -> bool:
        """Whether a timestamp ends a span.

        Outside of overlaps, timestamps alternate between start and end. If the first of a pair lies
        in an overlap, the second is ignored as well, even outside it; a repeated start counts once.
        """
        joining = self.joiner.open is not None
        if overlaps.on_the_right(token):
            self._skipping = True
        elif self._skipping or (joining and overlaps.on_the_left(token)):
            self._skipping = False
        elif self._utterance_start_s is None:
            self._utterance_start_s = time_s
        elif time_s != self._utterance_start_s:
            self._utterance_start_s = None
            return True
        return False

    def _add(self, span: range) -> None:
        if span:
            self.joiner.add(span)


@dataclass(frozen=True, slots=True)
class _Overlaps:
    """The timestamp tokens outside the overlaps of a window: from ``first`` to before ``last``.

    If another window follows, the window's last timestamp never counts, because the audio was cut
    there.
    """

    first: float | None
    last: int | None

    @classmethod
    def of(cls, window: WindowPasses, vocabulary: Vocabulary) -> _Overlaps:
        begin = vocabulary.timestamp_begin
        first = window.left / SAMPLE_RATE_HZ / TIMESTAMP_STEP_S + begin if window.left else None
        timestamps = [t for each in window.passes for t in each.tokens if t >= begin]
        if not window.right or not timestamps:
            return cls(first, None)
        limit_s = window.length / SAMPLE_RATE_HZ - window.right / SAMPLE_RATE_HZ
        last = timestamps.pop()
        while timestamps and (timestamps[-1] - begin) * TIMESTAMP_STEP_S >= limit_s:
            last = timestamps.pop()
        return cls(first, last)

    def on_the_left(self, token: int) -> bool:
        return self.first is not None and token < self.first

    def on_the_right(self, token: int) -> bool:
        return self.last is not None and token >= self.last
