"""Builds a clip's ``Transcript`` from its segments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from quest22.decoding.fallback import compression_ratio
from quest22.records import Clip, Confidence, DroppedSegment, Segment, Transcript


@dataclass(frozen=True, slots=True)
class LanguageSpan:
    """A language with its probability in a window of some length, in any unit."""

    language: str | None
    probability: float
    length: int


def build_transcript(
    clip: Clip,
    duration_s: float,
    text: str,
    segments: Sequence[Segment],
    language: tuple[str | None, float],
    dropped: Iterable[DroppedSegment] = (),
) -> Transcript:
    """The transcript of a clip; ``language`` is a code and its probability."""
    return Transcript(
        key=clip.key,
        name=clip.name,
        text=text,
        language=language[0],
        language_probability=language[1],
        duration_s=duration_s,
        segments=tuple(segments),
        origin=clip.origin,
        reference=clip.reference,
        columns=clip.columns,
        dropped=tuple(dropped),
        confidence=confidence(segments, text),
    )


def prevailing_language(spans: Iterable[LanguageSpan]) -> tuple[str | None, float]:
    """The language of most of the audio by probability, and its mean probability.

    Audio of which nothing is known, such as silence, does not count.
    """
    weights: defaultdict[str | None, float] = defaultdict(float)
    total = 0
    for span in spans:
        if not span.probability:
            continue
        weights[span.language] += span.probability * span.length
        total += span.length
    if not total:
        return None, 0.0
    language = max(weights, key=lambda code: weights[code])
    return language, weights[language] / total


def confidence(segments: Sequence[Segment], text: str) -> Confidence:
    """Means weighted by tokens; compression ratio of the whole text; highest temperature."""
    if not segments:
        return Confidence()
    weights = [max(len(segment.tokens), 1) for segment in segments]

    def mean(values: list[float]) -> float:
        return sum(map(float.__mul__, values, map(float, weights))) / sum(weights)

    return Confidence(
        avg_logprob=mean([segment.avg_logprob for segment in segments]),
        no_speech_prob=mean([segment.no_speech_prob for segment in segments]),
        compression_ratio=compression_ratio(text),
        temperature=max(segment.temperature for segment in segments),
    )
