"""How sure the model was of a clip, from its segments."""

from __future__ import annotations

from collections.abc import Sequence

from quest22.decoding.fallback import compression_ratio
from quest22.records import Confidence, Segment


def confidence(segments: Sequence[Segment], text: str) -> Confidence:
    """Means weighted by tokens, the ratio of the whole text, the highest temperature."""
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
