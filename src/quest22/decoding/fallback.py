"""When a window is heard again at a higher temperature, and when it is silence.

The rules are those of ``transcribe`` in openai/whisper (``decode_with_fallback`` and the check
for voice activity after it).
"""

from __future__ import annotations

from dataclasses import dataclass

from quest22.decoding.compression import compression_ratio
from quest22.records import Hypothesis
from quest22.settings import HallucinationSettings

REFERENCE_TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True, slots=True)
class Fallback:
    """Rising temperatures that are tried in order until one gives a text that is believed."""

    temperatures: tuple[float, ...]
    guards: HallucinationSettings

    def next_temperature(self, heard: Hypothesis, text: str) -> float | None:
        """What to hear a window with again; None: this is what counts."""
        hotter = [each for each in self.temperatures if each > heard.temperature]
        return hotter[0] if hotter and not self.is_believed(heard, text) else None

    def is_believed(self, heard: Hypothesis, text: str) -> bool:
        """Neither too repetitive nor too unlikely, but for silence, which is unlikely text."""
        silent = self._has_no_speech(heard) and self._is_unlikely(heard)
        return silent or not (self.is_repetitive(text) or self._is_unlikely(heard))

    def is_silence(self, heard: Hypothesis) -> bool:
        """Whether there is no speech and what was heard is not likely enough to doubt that."""
        least = self.guards.logprob_threshold
        likely = least is not None and heard.avg_logprob > least
        return self._has_no_speech(heard) and not likely

    def is_repetitive(self, text: str) -> bool:
        most = self.guards.compression_ratio_threshold
        return most is not None and compression_ratio(text.strip()) > most

    def _is_unlikely(self, heard: Hypothesis) -> bool:
        least = self.guards.logprob_threshold
        return least is not None and heard.avg_logprob < least

    def _has_no_speech(self, heard: Hypothesis) -> bool:
        most = self.guards.no_speech_threshold
        return most is not None and heard.no_speech_prob > most
