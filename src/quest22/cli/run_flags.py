"""From the flags of ``transcribe``, ``stream`` and ``eval`` to settings."""

from __future__ import annotations

from dataclasses import dataclass

from quest22.cli.options import ModelFlags, SpeechFlags
from quest22.cli.output_options import OutputFlags
from quest22.runs.settings import formats_with_times
from quest22.runs.summary import FailureBudget
from quest22.settings import OutputSettings, PipelineSettings, parse_formats


@dataclass(frozen=True, slots=True)
class RunFlags:
    """The flags of a run; ``timestamps`` says whether plain text needs them too."""

    model: ModelFlags
    speech: SpeechFlags
    output: OutputFlags
    default_format: str
    timestamps: bool = False

    def output_settings(self) -> OutputSettings:
        """Raises :class:`quest22.errors.UsageError` for formats that cannot be written there."""
        return OutputSettings(
            parse_formats(self.output.output_format or [self.default_format]),
            self.output.output_dir,
            overwrite=self.output.overwrite,
            captions=self.output.captions(),
        )

    def pipeline_settings(self, formats: tuple[str, ...] = ()) -> PipelineSettings:
        """Settings of a pipeline whose results are written in these formats."""
        timestamps = self.timestamps or bool(formats_with_times(formats))
        words = self.output.captions().needs_words
        return PipelineSettings(
            self.model.settings(),
            self.speech.decoding(timestamps=timestamps, words=words),
            self.speech.longform(),
            self.speech.audio(),
            hallucination=self.speech.guards(),
            memory=self.speech.bounds(),
            vad=self.speech.voice.settings(),
        )

    def failure_budget(self) -> FailureBudget:
        """Raises :class:`quest22.errors.UsageError` for a policy that does not exist."""
        return FailureBudget(self.output.failures_borne())
