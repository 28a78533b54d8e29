"""Transcribes one window: decodes it, again where the text is not trusted, until speech is covered.

What decodes is a :data:`quest22.longform.pauses.procedures.Procedure`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from quest22.checkpoint.tokens import TIMESTAMP_STEP_S
from quest22.checkpoint.word_splitting import UNSPACED
from quest22.decoding.fallback import compression_ratio
from quest22.decoding.words import TokenTimes
from quest22.errors import EngineError
from quest22.longform.hallucination import NO_SPEECH
from quest22.longform.pauses.coverage import Flags, TextRate, speech_s, uncovered
from quest22.longform.pauses.cutting import FRAME_S
from quest22.longform.pauses.excerpts import Excerpt, excerpt, parts, whole
from quest22.longform.pauses.procedures import Procedure
from quest22.longform.pauses.quality import Quality
from quest22.longform.pauses.retries import Retries, in_language
from quest22.longform.pauses.speech_windows import SpeechWindow
from quest22.longform.pauses.variants import other_ways
from quest22.longform.pauses.word_vote import with_votes
from quest22.longform.policy import DecodingPolicy
from quest22.records import (
    SAMPLE_RATE_HZ,
    DecodingOptions,
    DroppedSegment,
    Hypothesis,
    Segment,
)

MAX_DEPTH = 3
"""How often uncovered speech inside uncovered speech is decoded."""

LONGER = 1.2
MIN_LOGPROB = -0.7
"""A thin segment gives way to text that is this much longer and at least this probable."""

SHORTEST_WORD_S = 0.2
INVENTED_LOGPROB = -0.7
"""Text below this mean log-probability needs speech in the sense of the voice detector."""

THIN_PAD_S = 0.2
THIN_UNCUT_S = 6.0
THIN_LONGEST_S = 4.0
THIN_SHORTEST_S = 2.0
THIN_SHARE = 0.6
"""Thin segments of over six seconds are cut into parts of at most this share of them."""


@dataclass(frozen=True, slots=True, eq=False)
class TranscriptionRules:
    """What the windows of all clips share.

    Frames from ``speech_threshold`` on are speech. ``one_language``: all windows of a clip are in
    the same language, which is detected. ``doubt_language``: a whole clip may turn out to be in
    another language than the most probable one. ``needs_speech``: doubtful text without speech
    behind it is dropped.
    """

    policy: DecodingPolicy
    quality: Quality
    retries: Retries
    speech_threshold: float
    one_language: bool
    doubt_language: bool
    needs_speech: bool = True


class WindowTranscriber:
    """One window of a clip; ``decoding`` are its options.

    ``by_words``: its segments have the times of their words, which are always there. Else words,
    if they are asked for, have no part in what is decoded: the text is the same without them.

    ``segments``, in order, and ``dropped`` are its text, once it is complete. Their times count
    from the window's start, without the silences that were left out of it.
    """

    def __init__(
        self,
        rules: TranscriptionRules,
        speech: SpeechWindow,
        decoding: DecodingOptions,
        *,
        by_words: bool,
    ) -> None:
        self.speech = speech
        self.segments: list[Segment] = []
        self.dropped: list[DroppedSegment] = []
        self._rules = rules
        self.by_words = by_words
        self.decoding = decoding
        self._hypothesis: Hypothesis | None = None

    @property
    def duration_s(self) -> float:
        """Seconds of audio in the window."""
        return len(self.speech.samples) / SAMPLE_RATE_HZ

    @property
    def is_speech(self) -> Flags:
        """Whether each frame is speech, ``[frames]``."""
        flags: Flags = self.speech.probabilities >= self._rules.speech_threshold
        return flags

    @property
    def hypothesis(self) -> Hypothesis:
        """The best hypothesis for the whole window so far; only once it is decoded."""
        if self._hypothesis is None:
            raise RuntimeError("the window is not decoded yet: expected a hypothesis")
        return self._hypothesis

    @property
    def text(self) -> str:
        """The text so far."""
        if self.segments:
            return "".join(each.text for each in self.segments)
        return self._rules.policy.text(self.hypothesis.tokens)

    def decode(self) -> Procedure[None]:
        """Decode the window; the language is detected if it is not given."""
        (self._hypothesis,) = yield [self._whole().window]

    def complete(self, language: str | None) -> Procedure[None]:
        """Make segments of the window, whose clip is in this language."""
        hypothesis, window = self.hypothesis, self._whole().window
        if hypothesis.language != language:
            probabilities = dict[str | None, float](hypothesis.languages)
            (hypothesis,) = yield [in_language(window, language)]
            probability = probabilities.get(language, 0.0)
            hypothesis = replace(hypothesis, language_probability=probability)
        if self.speech.whole and self._rules.doubt_language:
            hypothesis = yield from self._rules.retries.in_other_languages(window, hypothesis)
        self._hypothesis = hypothesis
        self.decoding = replace(self.decoding, language=hypothesis.language, prefix=())
        yield from self._cover([self._whole()], [hypothesis])

    def thicken(self, rate: TextRate) -> Procedure[None]:
        """Decode segments with too little text again, in parts, and take that if it is more."""
        thin = rate.thin(self.segments, self.is_speech) if self.decoding.timestamps else []
        cut = [self._parts(segment) for segment in thin]
        flat = [part for each in cut for part in each]
        if not flat:
            return
        windows = [part.window for part in flat]
        hypotheses = yield windows
        hypotheses = yield from self._rules.retries.improve(windows, hypotheses)
        decoded = iter(zip(flat, hypotheses, strict=True))
        for segment, own in zip(thin, cut, strict=True):
            pairs = [next(decoded) for _ in own]
            segments = [each for pair in pairs for each in self._segments_of(*pair)]
            if self._is_better(segments, segment, pairs):
                at = self.segments.index(segment)
                self.segments[at : at + 1] = segments

    def vote(self) -> Procedure[None]:
        """Decode the window in other ways, and let the words of all texts vote."""
        if not self.segments:
            return
        variants = other_ways(self.speech, self.decoding, self._rules.quality)
        windows = [part.window for variant in variants for part in variant]
        hypotheses = yield windows
        hypotheses = yield from self._rules.retries.improve(windows, hypotheses)
        texts = map(self._rules.policy.text, (each.tokens for each in hypotheses))
        language, vocabulary = self.hypothesis.language, self._rules.policy.tokens
        separator = "" if language in UNSPACED else " "
        joined = [separator.join(next(texts).strip() for _ in variant) for variant in variants]
        self.segments = with_votes(self.segments, joined, language, vocabulary)

    def _cover(self, spans: Sequence[Excerpt], hypotheses: Sequence[Hypothesis]) -> Procedure[None]:
        """Take the text of the window, then of the speech in it that no segment covers."""
        for depth in range(MAX_DEPTH + 1):
            windows = [span.window for span in spans]
            hypotheses = yield from self._rules.retries.improve(windows, hypotheses)
            rest: list[Excerpt] = []
            for span, hypothesis in zip(spans, hypotheses, strict=True):
                segments = self._take(span, hypothesis)
                if self._has_times(hypothesis) or not segments:
                    rest += self._uncovered(span, segments)
            if not rest or depth == MAX_DEPTH or not self.decoding.timestamps:
                break
            spans = rest
            hypotheses = yield [span.window for span in spans]
        self.segments.sort(key=lambda each: each.start_s)
        self.dropped = self._without_text()

    def _take(self, span: Excerpt, hypothesis: Hypothesis) -> list[Segment]:
        """Keep the text of a span, except in silence; return its segments."""
        if self._rules.policy.fallback.is_silence(hypothesis):
            text = self._rules.policy.text(hypothesis.tokens).strip()
            end_s = span.offset_s + span.window.duration_s
            self.dropped.append(DroppedSegment(span.offset_s, end_s, NO_SPEECH, text))
            return []
        segments: list[Segment] = []
        for segment in self._segments_of(span, hypothesis):
            if self._is_invented(segment):
                invented = (segment.start_s, segment.end_s, NO_SPEECH, segment.text.strip())
                self.dropped.append(DroppedSegment(*invented))
            else:
                segments.append(segment)
        self.segments += segments
        return segments

    def _is_invented(self, segment: Segment) -> bool:
        """Whether doubtful text has not even a word's speech behind it, by the voice detector."""
        threshold = self._rules.policy.fallback.thresholds.no_speech_threshold
        if threshold is None or not self._rules.needs_speech:
            return False
        doubtful = segment.no_speech_prob > threshold or segment.avg_logprob < INVENTED_LOGPROB
        spoken_s = speech_s(self.is_speech, segment.start_s, segment.end_s)
        return doubtful and spoken_s < SHORTEST_WORD_S

    def _without_text(self) -> list[DroppedSegment]:
        """The dropped spans whose parts have no text either, without those parts."""
        kept: list[DroppedSegment] = []
        for span in self.dropped:
            others: list[Segment | DroppedSegment] = [*self.segments, *kept]
            if all(each.end_s <= span.start_s or each.start_s >= span.end_s for each in others):
                kept.append(span)
        return kept

    def _uncovered(self, span: Excerpt, segments: Sequence[Segment]) -> list[Excerpt]:
        offset_s, duration_s = span.offset_s, span.window.duration_s
        first = int(offset_s / FRAME_S)
        is_speech = self.is_speech[first : int((offset_s + duration_s) / FRAME_S)]
        times = [(each.start_s - offset_s, each.end_s - offset_s) for each in segments]
        found = uncovered(is_speech, times, duration_s)
        return [self._span(offset_s + start_s, offset_s + end_s) for start_s, end_s in found]

    def _parts(self, segment: Segment) -> list[Excerpt]:
        """A segment in parts, cut at its pauses."""
        start_s = max(0.0, segment.start_s - THIN_PAD_S)
        end_s = min(len(self.speech.samples) / SAMPLE_RATE_HZ, segment.end_s + THIN_PAD_S)
        if end_s - start_s <= THIN_UNCUT_S:
            return [self._span(start_s, end_s)]
        longest_s = max(THIN_LONGEST_S, (end_s - start_s) * THIN_SHARE)
        span_s = (start_s, end_s)
        return parts(self.speech, self.decoding, span_s, longest_s, THIN_SHORTEST_S)

    def _is_better(
        self,
        segments: Sequence[Segment],
        thin: Segment,
        decoded: Sequence[tuple[Excerpt, Hypothesis]],
    ) -> bool:
        text = "".join(each.text for each in segments)
        logprobs = [hypothesis.avg_logprob for _, hypothesis in decoded]
        trust = self._rules.retries.trust
        return (
            len(text.strip()) > LONGER * len(thin.text.strip())
            and sum(logprobs) > MIN_LOGPROB * len(logprobs)
            and all(trust.is_trusted(each, span.window.duration_s) for span, each in decoded)
        )

    def _whole(self) -> Excerpt:
        return whole(self.speech, self.decoding)

    def _span(self, start_s: float, end_s: float) -> Excerpt:
        return excerpt(self.speech, self.decoding, start_s, end_s)

    def _has_times(self, hypothesis: Hypothesis) -> bool:
        begin = self._rules.policy.tokens.timestamp_begin
        return any(token >= begin for token in hypothesis.tokens)

    def _segments_of(self, span: Excerpt, hypothesis: Hypothesis) -> list[Segment]:
        """The segments of a hypothesis, with words if they are requested."""
        policy = self._rules.policy
        duration_s = span.window.duration_s
        begin = policy.tokens.timestamp_begin
        ratio = compression_ratio(policy.text(hypothesis.tokens).strip())
        segments = [
            Segment(
                start_s=span.offset_s + start_s,
                end_s=span.offset_s + end_s,
                text=policy.text(tokens),
                tokens=tokens,
                avg_logprob=hypothesis.avg_logprob,
                no_speech_prob=hypothesis.no_speech_prob,
                compression_ratio=ratio,
                temperature=hypothesis.temperature,
                language=hypothesis.language,
                language_probability=hypothesis.language_probability,
            )
            for start_s, end_s, tokens in timed_texts(hypothesis.tokens, begin, duration_s)
        ]
        if not span.window.decoding.words:
            return segments
        if hypothesis.alignment is None:
            raise EngineError("the engine returned no word timestamps: expected an alignment")
        times = TokenTimes.of(hypothesis.alignment, span.offset_s)
        timed = policy.timer.add_words(segments, times, hypothesis.language, span.offset_s)
        if self.by_words:
            return timed
        return [
            replace(each, start_s=plain.start_s, end_s=plain.end_s)
            for each, plain in zip(timed, segments, strict=True)
        ]


def timed_texts(
    tokens: Sequence[int], timestamp_begin: int, duration_s: float
) -> list[tuple[float, float, tuple[int, ...]]]:
    """The texts between the timestamps of a window: start and end in seconds, text tokens.

    All text belongs to the window, which ends at a pause: text after the last timestamp lasts until
    its end, as all text does without timestamps.
    """
    texts: list[tuple[float, float, tuple[int, ...]]] = []
    start_s, text = 0.0, list[int]()
    for token in tokens:
        if token < timestamp_begin:
            text.append(token)
            continue
        time_s = min((token - timestamp_begin) * TIMESTAMP_STEP_S, duration_s)
        if text:
            texts.append((start_s, max(time_s, start_s), tuple(text)))
        start_s, text = time_s, []
    if text:
        texts.append((start_s, duration_s, tuple(text)))
    return texts
