"""The settings of a loaded model, the same for all of its runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from quest22.settings.audio import AudioSettings
from quest22.settings.clip_options import ClipSettings
from quest22.settings.decoding import DecodingSettings
from quest22.settings.engine import EngineSettings
from quest22.settings.forms import OPTIONAL_DURATION
from quest22.settings.hallucination import HallucinationSettings
from quest22.settings.longform import LongFormSettings
from quest22.settings.memory import MEMORY, MemorySettings
from quest22.settings.option import check_positive, option, take_group, take_values
from quest22.settings.vad import VadSettings


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """The settings of a loaded model, the same for all of its runs."""

    engine: EngineSettings = field(default_factory=EngineSettings)
    decoding: DecodingSettings = field(default_factory=DecodingSettings)
    longform: LongFormSettings = field(default_factory=LongFormSettings)
    audio: AudioSettings = field(default_factory=AudioSettings)
    hallucination: HallucinationSettings = field(default_factory=HallucinationSettings)
    memory: MemorySettings = option(
        MemorySettings.of(),
        flags="--memory",
        form=MEMORY,
        help="Memory for buffers, in addition to the program and the model: [cyan]512M[/], "
        "[cyan]2G[/] …",
        metavar="SIZE",
        unit="bytes",
        panel="Audio",
    )
    vad: VadSettings = field(default_factory=VadSettings)
    retry_for_s: float | None = option(
        None,
        flags="--retry-for",
        form=OPTIONAL_DURATION,
        help="Retry a server that fails for so long: [cyan]30s[/], [cyan]10m[/] …",
        metavar="TIME",
        unit="s",
        unset="5m; 4s if it has never answered",
        panel="Audio",
    )

    def __post_init__(self) -> None:
        if self.retry_for_s is not None:
            check_positive("retry_for_s", self.retry_for_s)

    def for_clips(self) -> ClipSettings:
        """The settings that a clip may override."""
        return ClipSettings(self.decoding, self.longform, self.hallucination, self.vad)

    @classmethod
    def take(cls, options: dict[str, Any]) -> PipelineSettings:
        """Make settings from a Python caller's options; removes those that it uses.

        Sequential long form returns segments with times unless ``timestamps`` is off. Raises
        :class:`quest22.errors.UsageError` for invalid values.
        """
        if options.get("long_form") == "sequential":
            options.setdefault("timestamps", True)
        return cls(
            engine=take_group(EngineSettings, options),
            decoding=take_group(DecodingSettings, options),
            longform=take_group(LongFormSettings, options),
            audio=take_group(AudioSettings, options),
            hallucination=take_group(HallucinationSettings, options),
            vad=take_group(VadSettings, options),
            **take_values(cls, options),
        )
