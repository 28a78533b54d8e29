"""When a window is decoded again at a higher temperature, and when it is silence.

The rules are those of ``transcribe`` in openai/whisper: ``decode_with_fallback``, and the check
of ``no_speech_prob`` after it.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from quest22.records import Hypothesis
from quest22.settings import HallucinationSettings

REFERENCE_TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def compression_ratio(text: str) -> float:
    """The size of a text over its size after zlib: high where it repeats itself (openai/whisper).

    Sizes are bytes of UTF-8.
    """
    encoded = text.encode()
    return len(encoded) / len(zlib.compress(encoded))


@dataclass(frozen=True, slots=True)
class Fallback:
    """Rising temperatures that are tried in order until one gives a text that is good enough."""

    temperatures: tuple[float, ...]
    thresholds: HallucinationSettings

    def next_temperature(self, hypothesis: Hypothesis, text: str) -> float | None:
        """The temperature to decode a window at again; None: this hypothesis stays."""
        higher = [each for each in self.temperatures if each > hypothesis.temperature]
        return higher[0] if higher and self.needs_fallback(hypothesis, text) else None

    def needs_fallback(self, hypothesis: Hypothesis, text: str) -> bool:
        """Too repetitive or too improbable; but not silence, whose text is always improbable."""
        if self._has_no_speech(hypothesis) and self._is_improbable(hypothesis):
            return False
        return self.is_repetitive(text) or self._is_improbable(hypothesis)

    def is_silence(self, hypothesis: Hypothesis) -> bool:
        """No speech, unless the text is probable enough to doubt that."""
        threshold = self.thresholds.logprob_threshold
        probable = threshold is not None and hypothesis.avg_logprob > threshold
        return self._has_no_speech(hypothesis) and not probable

    def is_repetitive(self, text: str) -> bool:
        threshold = self.thresholds.compression_ratio_threshold
        return threshold is not None and compression_ratio(text.strip()) > threshold

    def _is_improbable(self, hypothesis: Hypothesis) -> bool:
        threshold = self.thresholds.logprob_threshold
        return threshold is not None and hypothesis.avg_logprob < threshold

    def _has_no_speech(self, hypothesis: Hypothesis) -> bool:
        threshold = self.thresholds.no_speech_threshold
        return threshold is not None and hypothesis.no_speech_prob > threshold
