"""The flags that say which model runs and how it transcribes.

Names are those of openai/whisper, faster-whisper and Transformers. The flags are declared in
:mod:`quest22.settings`; this module adds what only the command knows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from typer import Option

from quest22.cli.choose_model import chosen_model
from quest22.cli.flag_groups import FlagGroup, flag, flag_group
from quest22.env import hub_token
from quest22.errors import UsageError
from quest22.settings import (
    AudioSettings,
    DecodingSettings,
    EngineSettings,
    HallucinationSettings,
    LongFormSettings,
    MemorySettings,
    PipelineSettings,
    VadSettings,
)
from quest22.settings.decoding import SEARCH
from quest22.settings.forms import (
    OPTIONAL_DURATION,
    read_count_or_auto,
    read_devices,
    read_numbers,
)
from quest22.settings.memory import MEMORY
from quest22.settings.vad import PANEL as VOICE


@flag_group(EngineSettings)
class ModelFlags(FlagGroup):
    """Which checkpoint runs, on what and how."""

    def settings(self) -> EngineSettings:
        """Raises :class:`UsageError` for invalid values."""
        model = chosen_model(self.model)
        return self.make(EngineSettings, model=model, token=self.token or hub_token())


@dataclass(frozen=True, slots=True)
class RerunFlags:
    """What a run whose settings are known may still be told: nothing that affects its results."""

    device: Annotated[str, flag(EngineSettings, "device", show_default="the run's")] = "auto"
    devices: Annotated[str | None, flag(EngineSettings, "devices")] = None
    batch_size: Annotated[str, flag(EngineSettings, "batch_size")] = "auto"
    threads: Annotated[int | None, flag(EngineSettings, "threads")] = None
    token: Annotated[str | None, flag(EngineSettings, "token")] = None

    def settings(self) -> EngineSettings:
        """Raises :class:`UsageError` for an invalid batch size or devices."""
        return EngineSettings(
            device=self.device,
            devices=read_devices("devices", self.devices),
            batch_size=read_count_or_auto("batch_size", self.batch_size),
            threads=self.threads,
            token=self.token or hub_token(),
        )


@flag_group()
class FileModelFlags(ModelFlags):
    """The same for commands without a dataset, where ``--revision`` is the model's."""

    model_revision: Annotated[
        str | None,
        flag(EngineSettings, "revision", "--revision", "--model-revision"),
    ] = None


@flag_group(VadSettings)
class VadFlags(FlagGroup):
    """Whether silence is skipped, and what counts as speech."""

    vad: Annotated[str | None, flag(VadSettings, "vad", show_default="auto")] = None
    vad_filter: Annotated[
        bool, Option("--vad-filter", help="The same as [cyan]--vad on[/].", rich_help_panel=VOICE)
    ] = False

    def settings(self) -> VadSettings:
        """Raises :class:`UsageError` for invalid values."""
        return self.make(VadSettings, vad=self.vad or ("on" if self.vad_filter else None))


@flag_group(
    DecodingSettings, LongFormSettings, HallucinationSettings, AudioSettings, PipelineSettings
)
class SpeechFlags(FlagGroup):
    """What is transcribed and how."""

    timestamps: Annotated[
        bool | None,
        flag(DecodingSettings, "timestamps", show_default="if an output format needs them"),
    ] = None
    temperature_increment_on_fallback: Annotated[
        float | None,
        Option(
            help="With one temperature: step from it to the next ones, up to 1.",
            rich_help_panel=SEARCH,
            metavar="T",
        ),
    ] = None
    vad_flags: VadFlags = field(default_factory=VadFlags)

    def decoding(self, *, timestamps: bool, words: bool = False) -> DecodingSettings:
        """``timestamps`` and ``words`` are what the outputs need; the user's flags take precedence.

        Sequential long form always needs timestamps. Raises :class:`UsageError` for invalid values.
        """
        words = words or self.word_timestamps
        needed = timestamps or words or self.long_form == "sequential"
        return self.make(
            DecodingSettings,
            timestamps=needed if self.timestamps is None else self.timestamps,
            word_timestamps=words,
            temperature=self._temperatures(),
        )

    def longform(self) -> LongFormSettings:
        """Raises :class:`UsageError` for invalid values."""
        return self.make(LongFormSettings)

    def audio(self) -> AudioSettings:
        """Raises :class:`UsageError` for invalid values."""
        return self.make(AudioSettings)

    def hallucination(self) -> HallucinationSettings:
        """Raises :class:`UsageError` for invalid values."""
        return self.make(HallucinationSettings)

    def memory_settings(self) -> MemorySettings:
        """Raises :class:`UsageError` for an invalid or too small size."""
        memory: MemorySettings = MEMORY.read("memory", self.memory)
        return memory

    def retry_for_s(self) -> float | None:
        """Raises :class:`UsageError` for what is no duration."""
        seconds: float | None = OPTIONAL_DURATION.read("retry_for", self.retry_for)
        return seconds

    def _temperatures(self) -> tuple[float, ...] | None:
        step = self.temperature_increment_on_fallback
        if self.temperature is None and step is None:
            return None
        first, *others = given = read_numbers("temperature", self.temperature or "0") or (0.0,)
        if step is None or others:
            return given
        if step <= 0:
            raise UsageError(
                f"temperature_increment_on_fallback is {step}: expected a number above 0"
            )
        count = int((1.0 - first) / step + 1e-6) + 1
        return tuple(round(first + number * step, 6) for number in range(count))
