"""Turns the flags of ``transcribe``, ``stream`` and ``eval`` into settings."""

from __future__ import annotations

from dataclasses import dataclass

from quest22.cli.model_flags import ModelFlags, SpeechFlags
from quest22.cli.output_flags import OutputFlags
from quest22.runs.settings import formats_with_times
from quest22.runs.summary import FailureBudget
from quest22.settings import OutputSettings, PipelineSettings, parse_formats


@dataclass(frozen=True, slots=True)
class RunFlags:
    """The flags of a run; ``timestamps`` says whether plain text needs timestamps too."""

    model: ModelFlags
    speech: SpeechFlags
    output: OutputFlags
    default_format: str
    timestamps: bool = False

    def output_settings(self) -> OutputSettings:
        """Raises :class:`quest22.errors.UsageError` for formats that cannot go there."""
        return OutputSettings(
            parse_formats(self.output.output_format or [self.default_format]),
            self.output.folder(),
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
            hallucination=self.speech.hallucination(),
            memory=self.speech.memory_settings(),
            vad=self.speech.vad_flags.settings(),
            retry_for_s=self.speech.retry_for_s(),
        )

    def failure_budget(self) -> FailureBudget:
        """Raises :class:`quest22.errors.UsageError` for an unknown policy."""
        return FailureBudget(self.output.failure_limit())
