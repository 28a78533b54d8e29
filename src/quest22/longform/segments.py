"""The tokens that make a transcript, to segments with times. Knows nothing of how they were chosen.

Utterances become segments as they are. Where the text goes over from one window to the next in the
middle of an utterance, the halves are one segment: it starts where the one window heard it start
and ends where the other heard it end. Segments are in order, do not overlap, and lie in the clip.
Transformers' pipeline never parts an overlap and so gives longer chunks there, some of minutes,
and leaves a last one without an end.

With words, segments begin and end with them.

Without timestamps each window gives one segment, from the middle of its left overlap to the middle
of its right one, so that captions and JSON still tell roughly where words are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from quest22.decoding.fallback import compression_ratio
from quest22.decoding.words import WordTimer
from quest22.longform.overlap import TokenIds
from quest22.longform.utterances import Utterance, utterances
from quest22.longform.window_passes import DecodingPass, Vocabulary, WindowPasses
from quest22.longform.word_timing import ClipTimes, TimedSegment, add_words
from quest22.records import SAMPLE_RATE_HZ, Segment

LONGEST_WORD_TOKENS = 8


@dataclass(frozen=True, slots=True)
class _Part:
    """What was kept of an utterance."""

    whole: Utterance
    kept: range

    @property
    def headless(self) -> bool:
        return self.kept.start > self.whole.tokens.start

    @property
    def tailless(self) -> bool:
        return self.kept.stop < self.whole.tokens.stop

    def continues(self, before: _Part) -> bool:
        """Whether the two are halves of one utterance that two windows heard."""
        crosses = self.whole.window != before.whole.window
        timed = self.whole.timed and before.whole.timed
        return crosses and timed and (self.headless or before.tailless)


@dataclass(slots=True, eq=False)
class _Draft:
    """A segment in the making: ``places`` are those of its tokens in the clip's text."""

    places: list[int]
    source: DecodingPass
    language: tuple[str | None, float]
    pass_start_s: float
    start_s: float
    end_s: float
    timed: bool
    apart: bool = False

    def absorb(self, other: _Draft, end_s: float) -> None:
        """Take in what follows, up to a new end; the source is that of the longer part."""
        if len(other.places) > len(self.places):
            self.source, self.pass_start_s = other.source, other.pass_start_s
            self.language = other.language
        self.places += other.places
        self.end_s = end_s


@dataclass(frozen=True, slots=True, eq=False)
class Segmenter:
    """Makes the segments of one clip of ``duration_s`` seconds from its text tokens ``ids``."""

    ids: TokenIds
    windows: Sequence[WindowPasses]
    vocabulary: Vocabulary
    duration_s: float
    words: WordTimer | None = None
    _ratios: dict[int, float] = field(default_factory=dict)

    def segments(self, kept: Iterable[range]) -> tuple[Segment, ...]:
        """Segments of the kept ranges of ``ids``."""
        drafts = _in_order(self._drafts(self._parts(kept)))
        for before, after in pairwise(drafts):
            if not (before.timed or after.timed or before.apart):
                self._make_word_whole(before, after)
        segments = [self._segment(draft) for draft in drafts]
        return tuple(segments if self.words is None else self._worded(drafts, segments, self.words))

    def _worded(
        self, drafts: Iterable[_Draft], segments: Iterable[Segment], timer: WordTimer
    ) -> list[Segment]:
        joined = [
            TimedSegment(segment, draft.places, draft.source, draft.pass_start_s)
            for draft, segment in zip(drafts, segments, strict=True)
        ]
        return add_words(joined, ClipTimes.of(self.windows, self.vocabulary), timer)

    def _parts(self, kept: Iterable[range]) -> Iterator[_Part]:
        chosen = np.zeros(len(self.ids), np.bool_)
        for stretch in kept:
            chosen[stretch.start : stretch.stop] = True
        for utterance in utterances(self.windows, self.vocabulary):
            (at,) = chosen[utterance.tokens.start : utterance.tokens.stop].nonzero()
            if len(at):
                yield _Part(utterance, utterance.tokens[at[0] : at[-1] + 1])

    def _drafts(self, parts: Iterable[_Part]) -> Iterator[_Draft]:
        draft: _Draft | None = None
        before: _Part | None = None
        for part in parts:
            new = self._draft(part)
            if draft and before and part.continues(before):
                draft.absorb(new, new.end_s if new.end_s > draft.start_s else draft.end_s)
            else:
                if draft:
                    yield draft
                draft = new
            before = part
        if draft:
            yield draft

    def _draft(self, part: _Part) -> _Draft:
        heard, said = self.windows[part.whole.window], part.whole
        core = (heard.start + heard.left, heard.start + heard.length - heard.right)
        core_start_s, core_end_s = (samples / SAMPLE_RATE_HZ for samples in core)
        start_s = heard.start_s(said.passed) if said.timed else core_start_s
        end_s = (heard.start + heard.length) / SAMPLE_RATE_HZ if said.timed else core_end_s
        start_s = start_s if said.start_s is None else said.start_s
        end_s = end_s if said.end_s is None else said.end_s
        limit_s = min(self.duration_s, (heard.start + heard.length) / SAMPLE_RATE_HZ)
        return _Draft(
            places=list(part.kept),
            source=said.passed,
            language=heard.language,
            pass_start_s=heard.start_s(said.passed),
            start_s=min(start_s, limit_s),
            end_s=min(end_s, limit_s),
            timed=said.timed,
            apart=heard.apart,
        )

    def _make_word_whole(self, before: _Draft, after: _Draft) -> None:
        """Give ``before`` the rest of a word, or of a character, that it began."""
        rest = self._rest_of_word(self.ids[after.places].tolist())
        before.places += after.places[:rest]
        del after.places[:rest]

    def _rest_of_word(self, tokens: list[int]) -> int:
        heads = range(min(LONGEST_WORD_TOKENS, len(tokens)))
        texts = [self.vocabulary.decode(tokens[at : at + LONGEST_WORD_TOKENS]) for at in heads]
        spaced = [at for at, text in enumerate(texts) if text[:1].isspace()]
        unbroken = [at for at, text in enumerate(texts) if text[:1] != "\ufffd"]
        return [*spaced, *unbroken, 0][0]

    def _segment(self, draft: _Draft) -> Segment:
        hypothesis = draft.source.hypothesis
        tokens = self.ids[draft.places].tolist()
        return Segment(
            start_s=draft.start_s,
            end_s=draft.end_s,
            text=self.vocabulary.decode(tokens),
            tokens=tuple(tokens),
            avg_logprob=hypothesis.avg_logprob,
            no_speech_prob=hypothesis.no_speech_prob,
            compression_ratio=self._compression_ratio(draft.source),
            temperature=hypothesis.temperature,
            language=draft.language[0],
            language_probability=draft.language[1],
        )

    def _compression_ratio(self, passed: DecodingPass) -> float:
        """That of all text of the pass, as in openai/whisper."""
        if id(passed) not in self._ratios:
            spoken = [token for token in passed.tokens if token < self.vocabulary.eot]
            self._ratios[id(passed)] = compression_ratio(self.vocabulary.decode(spoken))
        return self._ratios[id(passed)]


def _in_order(drafts: Iterable[_Draft]) -> list[_Draft]:
    """Drafts that follow one another in time.

    Each ends when the next starts, at the latest; what would not start later than the one before
    it joins that one.
    """
    ordered: list[_Draft] = []
    for draft in drafts:
        last = ordered[-1] if ordered else None
        if draft.start_s >= draft.end_s:
            draft.start_s = last.end_s if last else 0.0
        if last is None:
            ordered.append(draft)
        elif last.start_s < draft.start_s < draft.end_s:
            last.end_s = min(last.end_s, draft.start_s)
            ordered.append(draft)
        else:
            last.absorb(draft, max(last.end_s, draft.end_s))
    return ordered
