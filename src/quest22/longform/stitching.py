"""Decides which tokens of overlapping windows make the text. Knows nothing of text or engines.

The text tokens of a clip lie in one array, window after window; what is handled are ranges of it.
A timestamp where only one window listens parts the text for good: what came before it is joined
and done. A timestamp in an overlap parts nothing, because the other window has its own: there the
stretches of both wait, and are joined by their tokens (:mod:`quest22.longform.overlap`). Without
timestamps all windows' stretches wait until the end. A window that is apart parts the text as well.

Which timestamps part the text is ruled as in ``_decode_asr`` of Transformers' Whisper tokenizer,
so that the text is the same. That includes one oddity: the timestamps of a second pass over a
window are held against the strides as if the pass began with the window, so more waits than must.
Only what is joined with what depends on it here, not the times of segments.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from quest22.longform.overlap import TokenIds, join
from quest22.longform.window_passes import TIMESTAMP_S, Vocabulary, WindowPasses
from quest22.records import SAMPLE_RATE_HZ


def merge(ids: TokenIds, windows: Sequence[WindowPasses], vocabulary: Vocabulary) -> list[range]:
    """The ranges of ``ids``, in order, that make the transcript.

    ``ids`` are the text tokens of all windows and passes, one after the other.
    """
    merger = _Merger(ids, vocabulary)
    for heard in windows:
        merger.take(heard)
    return merger.finish()


@dataclass(slots=True, eq=False)
class _Merger:
    """Goes through the tokens once; ``waiting`` are the stretches that no timestamp has parted."""

    ids: TokenIds
    vocabulary: Vocabulary
    kept: list[range] = field(default_factory=list)
    waiting: list[range] = field(default_factory=list)
    begun_s: float | None = None
    skipping: bool = False
    position: int = 0

    def take(self, heard: WindowPasses) -> None:
        begun = self.position
        for stretch in self._stretches(heard):
            self._wait(stretch)
            self._join()
            begun = stretch.stop
        self._wait(range(begun, self.position))
        if heard.apart:
            self._join()
        if not self.waiting:
            self.begun_s = None

    def finish(self) -> list[range]:
        self._join()
        return self.kept

    def _stretches(self, heard: WindowPasses) -> Iterator[range]:
        """The stretches of a window that end at a timestamp which parts the text."""
        overlap = _Overlaps.of(heard, self.vocabulary)
        begun = self.position
        for passed in heard.passes:
            for token in passed.tokens:
                if token < self.vocabulary.eot:
                    self.position += 1
                elif token >= self.vocabulary.timestamp_begin:
                    time_s = heard.time_s(passed, token, self.vocabulary.timestamp_begin)
                    if self._parts(token, overlap, time_s):
                        yield range(begun, self.position)
                        begun = self.position

    def _parts(self, token: int, overlap: _Overlaps, time_s: float) -> bool:
        """Whether a timestamp ends a stretch. Outside of overlaps they come as start and end.

        Of a pair in an overlap the second counts as little as the first, even if it alone lies
        outside; a start given twice is one start.
        """
        if overlap.on_the_right(token):
            self.skipping = True
        elif self.skipping or (self.waiting and overlap.on_the_left(token)):
            self.skipping = False
        elif self.begun_s is None:
            self.begun_s = time_s
        elif time_s != self.begun_s:
            self.begun_s = None
            return True
        return False

    def _wait(self, stretch: range) -> None:
        if stretch:
            self.waiting.append(stretch)

    def _join(self) -> None:
        self.kept.extend(join(self.ids, self.waiting))
        self.waiting = []


@dataclass(frozen=True, slots=True)
class _Overlaps:
    """The timestamp tokens between which a window is alone: from ``first`` to before ``last``.

    The window's last timestamp never counts where another window follows: there the sound was cut.
    """

    first: float | None
    last: int | None

    @classmethod
    def of(cls, heard: WindowPasses, vocabulary: Vocabulary) -> _Overlaps:
        begin = vocabulary.timestamp_begin
        first = heard.left / SAMPLE_RATE_HZ / TIMESTAMP_S + begin if heard.left else None
        marks = [t for passed in heard.passes for t in passed.tokens if t >= begin]
        if not heard.right or not marks:
            return cls(first, None)
        limit_s = heard.length / SAMPLE_RATE_HZ - heard.right / SAMPLE_RATE_HZ
        last = marks.pop()
        while marks and (marks[-1] - begin) * TIMESTAMP_S >= limit_s:
            last = marks.pop()
        return cls(first, last)

    def on_the_left(self, token: int) -> bool:
        return self.first is not None and token < self.first

    def on_the_right(self, token: int) -> bool:
        return self.last is not None and token >= self.last
