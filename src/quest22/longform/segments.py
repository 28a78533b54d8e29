"""Builds segments with times from windows, as they arrive; committed segments do not change again.

The model's utterances become segments. If an utterance is split between two windows, its halves
form one segment, which starts where the first window put its start and ends where the second put
its end. Segments are in order, do not overlap, and lie in the clip. Transformers' pipeline never
splits at an overlap: it returns longer chunks there, some of minutes, and a last one without an
end.

With words, segments begin and end with them.

Without timestamps each window yields one segment, from the middle of its left overlap to the middle
of its right one, so that captions and JSON still show roughly where words are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from quest22.decoding.fallback import compression_ratio
from quest22.decoding.words import WordTimer
from quest22.longform.stitching import Stitcher
from quest22.longform.window_passes import DecodingPass, Vocabulary, WindowPasses
from quest22.longform.word_timing import TimedSegment, WordAdder
from quest22.records import SAMPLE_RATE_HZ, Partial, Segment

MAX_WORD_TOKENS = 8


@dataclass(frozen=True, slots=True)
class Utterance:
    """A range of the clip's text tokens, between two timestamps of one pass over a window.

    Times are seconds in the clip; None if the model gave none.
    """

    tokens: range
    window: WindowPasses
    source: DecodingPass
    start_s: float | None
    end_s: float | None

    @property
    def timed(self) -> bool:
        """Whether the model gave it a time."""
        return self.start_s is not None or self.end_s is not None


def utterances(
    window: WindowPasses, vocabulary: Vocabulary, position: int = 0
) -> Iterator[Utterance]:
    """All utterances of a window with text, in order; they cover all of its text tokens.

    ``position`` is the number of its first text token in the clip.
    """
    for each in window.passes:
        for start_s, length, end_s in _spans(window, each, vocabulary):
            tokens = range(position, position + length)
            yield Utterance(tokens, window, each, start_s, end_s)
            position = tokens.stop


def _spans(
    window: WindowPasses, source: DecodingPass, vocabulary: Vocabulary
) -> Iterator[tuple[float | None, int, float | None]]:
    """Start, number of text tokens and end of each; an end may also be the next start."""
    start_s: float | None = None
    length = 0
    for token in source.tokens:
        if token < vocabulary.eot:
            length += 1
        elif token >= vocabulary.timestamp_begin:
            time_s = window.time_s(source, token, vocabulary.timestamp_begin)
            if length:
                yield start_s, length, time_s
            start_s, length = time_s, 0
    if length:
        yield start_s, length, None


@dataclass(frozen=True, slots=True)
class _Part:
    """The part of an utterance that stitching kept."""

    whole: Utterance
    tokens: range

    @property
    def headless(self) -> bool:
        return self.tokens.start > self.whole.tokens.start

    @property
    def tailless(self) -> bool:
        return self.tokens.stop < self.whole.tokens.stop

    def continues(self, before: _Part) -> bool:
        """Whether the two are halves of one utterance in two windows."""
        crosses = self.whole.window is not before.whole.window
        timed = self.whole.timed and before.whole.timed
        return crosses and timed and (self.headless or before.tailless)


@dataclass(slots=True, eq=False)
class _Draft:
    """A segment in progress; ``positions`` are the numbers of its text tokens in the clip."""

    positions: list[int]
    source: DecodingPass
    language: tuple[str | None, float]
    pass_start_s: float
    start_s: float
    end_s: float
    timed: bool
    self_contained: bool = False

    @classmethod
    def of(cls, part: _Part) -> _Draft:
        utterance, window = part.whole, part.whole.window
        core = (window.start + window.left, window.start + window.length - window.right)
        core_start_s, core_end_s = (samples / SAMPLE_RATE_HZ for samples in core)
        start_s = window.start_s(utterance.source) if utterance.timed else core_start_s
        end_s = window.end_s if utterance.timed else core_end_s
        start_s = start_s if utterance.start_s is None else utterance.start_s
        end_s = end_s if utterance.end_s is None else utterance.end_s
        return cls(
            positions=list(part.tokens),
            source=utterance.source,
            language=window.language,
            pass_start_s=window.start_s(utterance.source),
            start_s=min(start_s, window.end_s),
            end_s=min(end_s, window.end_s),
            timed=utterance.timed,
            self_contained=window.self_contained,
        )

    def absorb(self, other: _Draft, end_s: float) -> None:
        """Append what follows, up to a new end; the source is that of the longer part."""
        if len(other.positions) > len(self.positions):
            self.source, self.pass_start_s = other.source, other.pass_start_s
            self.language = other.language
        self.positions += other.positions
        self.end_s = end_s


class SegmentBuilder:
    """The segments of one clip, from its windows in order.

    Up to three drafts may still change: the last one may continue in the next window, the one
    before it may have to end where the next one starts, and one without timestamps may get the rest
    of its last word from the next.
    """

    def __init__(self, vocabulary: Vocabulary, timer: WordTimer | None = None) -> None:
        self._vocabulary = vocabulary
        self._stitcher = Stitcher(vocabulary)
        self._words = None if timer is None else WordAdder(timer, vocabulary)
        self._utterances: deque[Utterance] = deque()
        self._settled = 0  # ranges of the stitcher before all current utterances
        self._last_part: _Part | None = None
        self._last_draft: _Draft | None = None  # may continue in the next part
        self._last_ordered: _Draft | None = None  # may end earlier, or absorb the next
        self._last_whole: _Draft | None = None  # may get the rest of a word
        self._ratios: dict[int, float] = {}
        self.committed: list[Segment] = []

    def add(self, window: WindowPasses) -> None:
        """Add the next window, with all passes complete.

        Raises :class:`quest22.errors.EngineError` if words are requested and it has no times.
        """
        position = len(self._stitcher.ids)
        self._stitcher.add(window)
        if self._words is not None:
            self._words.add_window(window)
        self._utterances.extend(utterances(window, self._vocabulary, position))
        self._take_settled()

    def finish(self) -> tuple[str, tuple[Segment, ...]]:
        """After the last window: the whole text, and all segments."""
        self._stitcher.finish()
        self._take_settled()
        if self._last_draft is not None:
            self._order(self._last_draft)
        if self._last_ordered is not None:
            self._complete_word(self._last_ordered)
        if self._last_whole is not None:
            self._commit(self._last_whole)
        if self._words is not None:
            self.committed += self._words.flush()
        return self._vocabulary.decode(self._text_tokens()), tuple(self.committed)

    def partial(self) -> Partial:
        """The transcript so far: the committed segments' texts, then the interim text."""
        committed = sum(len(segment.tokens) for segment in self.committed)
        tokens = self._text_tokens()[committed:]
        if (span := self._stitcher.joiner.open) is not None:
            tokens = tokens + self._stitcher.ids[span.start : span.stop]
        return Partial(tuple(self.committed), self._vocabulary.decode(tokens))

    def _text_tokens(self) -> list[int]:
        ids = self._stitcher.ids
        return [token for span in self._stitcher.joiner.settled for token in ids[_slice(span)]]

    def _take_settled(self) -> None:
        """Make drafts of the utterances whose remaining text is settled."""
        while self._utterances and self._utterances[0].tokens.stop <= self._stitcher.settled_until:
            part = self._part(self._utterances.popleft())
            if part is not None:
                self._add_part(part)

    def _part(self, utterance: Utterance) -> _Part | None:
        """The part of an utterance that stitching kept; None if nothing."""
        settled, tokens = self._stitcher.joiner.settled, utterance.tokens
        while self._settled < len(settled) and settled[self._settled].stop <= tokens.start:
            self._settled += 1
        at, remaining = self._settled, range(0)
        while at < len(settled) and settled[at].start < tokens.stop:
            start = remaining.start if remaining else max(settled[at].start, tokens.start)
            remaining = range(start, min(settled[at].stop, tokens.stop))
            at += 1
        return _Part(utterance, remaining) if remaining else None

    def _add_part(self, part: _Part) -> None:
        new, last = _Draft.of(part), self._last_draft
        if last and self._last_part and part.continues(self._last_part):
            last.absorb(new, new.end_s if new.end_s > last.start_s else last.end_s)
        else:
            if last:
                self._order(last)
            self._last_draft = new
        self._last_part = part

    def _order(self, draft: _Draft) -> None:
        """Append a draft in order of time.

        Each ends at the latest when the next one starts; one that would not start later than its
        predecessor is joined to it.
        """
        last = self._last_ordered
        if draft.start_s >= draft.end_s:
            draft.start_s = last.end_s if last else 0.0
        if last is None:
            self._last_ordered = draft
        elif last.start_s < draft.start_s < draft.end_s:
            last.end_s = min(last.end_s, draft.start_s)
            self._last_ordered = draft
            self._complete_word(last)
        else:
            last.absorb(draft, max(last.end_s, draft.end_s))

    def _complete_word(self, draft: _Draft) -> None:
        """Move the rest of a split word or character to the draft in which it begins."""
        before = self._last_whole
        if before is not None:
            if not draft.timed:
                rest = self._rest_of_word([self._stitcher.ids[at] for at in draft.positions])
                before.positions += draft.positions[:rest]
                del draft.positions[:rest]
            self._commit(before)
        self._last_whole = None if draft.timed or draft.self_contained else draft
        if self._last_whole is None:
            self._commit(draft)

    def _rest_of_word(self, tokens: list[int]) -> int:
        heads = range(min(MAX_WORD_TOKENS, len(tokens)))
        texts = [self._vocabulary.decode(tokens[at : at + MAX_WORD_TOKENS]) for at in heads]
        spaced = [at for at, text in enumerate(texts) if text[:1].isspace()]
        unbroken = [at for at, text in enumerate(texts) if text[:1] != "\ufffd"]
        return [*spaced, *unbroken, 0][0]

    def _commit(self, draft: _Draft) -> None:
        segment = self._segment(draft)
        if self._words is None:
            self.committed.append(segment)
        else:
            timed = TimedSegment(segment, draft.positions, draft.source, draft.pass_start_s)
            self.committed += self._words.add(timed)

    def _segment(self, draft: _Draft) -> Segment:
        hypothesis = draft.source.hypothesis
        tokens = [self._stitcher.ids[at] for at in draft.positions]
        return Segment(
            start_s=draft.start_s,
            end_s=draft.end_s,
            text=self._vocabulary.decode(tokens),
            tokens=tuple(tokens),
            avg_logprob=hypothesis.avg_logprob,
            no_speech_prob=hypothesis.no_speech_prob,
            compression_ratio=self._compression_ratio(draft.source),
            temperature=hypothesis.temperature,
            language=draft.language[0],
            language_probability=draft.language[1],
        )

    def _compression_ratio(self, source: DecodingPass) -> float:
        """The compression ratio of all text of the pass, as in openai/whisper."""
        if id(source) not in self._ratios:
            text = [token for token in source.tokens if token < self._vocabulary.eot]
            self._ratios[id(source)] = compression_ratio(self._vocabulary.decode(text))
        return self._ratios[id(source)]


def _slice(span: range) -> slice:
    return slice(span.start, span.stop)
