"""Temperature fallback and silence detection.

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
    """The size of a text over its size after zlib: high for repetitive text (openai/whisper).

    Sizes are bytes of UTF-8.
    """
    encoded = text.encode()
    return len(encoded) / len(zlib.compress(encoded))


@dataclass(frozen=True, slots=True)
class Fallback:
    """Increasing temperatures, tried in order until the text is accepted."""

    temperatures: tuple[float, ...]
    thresholds: HallucinationSettings

    def next_temperature(self, hypothesis: Hypothesis, text: str) -> float | None:
        """The temperature for decoding a window again; None: the hypothesis is accepted."""
        higher = [each for each in self.temperatures if each > hypothesis.temperature]
        return higher[0] if higher and self.needs_fallback(hypothesis, text) else None

    def needs_fallback(self, hypothesis: Hypothesis, text: str) -> bool:
        """Whether text is too repetitive or too improbable, unless the window is silence."""
        if self._has_no_speech(hypothesis) and self._is_improbable(hypothesis):
            return False
        return self.is_repetitive(text) or self._is_improbable(hypothesis)

    def is_silence(self, hypothesis: Hypothesis) -> bool:
        """Whether there is no speech: a high probability of that, and improbable text."""
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
