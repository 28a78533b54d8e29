"""Settings per clip, so that one loaded model can serve different requests."""

from __future__ import annotations

from dataclasses import dataclass, field

from quest22.settings.decoding import DecodingSettings
from quest22.settings.hallucination import HallucinationSettings
from quest22.settings.longform import LongFormSettings
from quest22.settings.vad import VadSettings


@dataclass(frozen=True, slots=True)
class ClipSettings:
    """All settings for transcribing one clip."""

    decoding: DecodingSettings = field(default_factory=DecodingSettings)
    longform: LongFormSettings = field(default_factory=LongFormSettings)
    hallucination: HallucinationSettings = field(default_factory=HallucinationSettings)
    vad: VadSettings = field(default_factory=VadSettings)


@dataclass(frozen=True, slots=True)
class ClipOptions:
    """Groups of settings for one clip; None: the loaded model's own."""

    decoding: DecodingSettings | None = None
    longform: LongFormSettings | None = None
    hallucination: HallucinationSettings | None = None
    vad: VadSettings | None = None

    def applied_to(self, settings: ClipSettings) -> ClipSettings:
        """The clip's settings, given those of the loaded model."""
        return ClipSettings(
            decoding=self.decoding or settings.decoding,
            longform=self.longform or settings.longform,
            hallucination=self.hallucination or settings.hallucination,
            vad=self.vad or settings.vad,
        )
