"""Settings of a run into a folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from quest22.settings import (
    ALL_COLUMNS,
    CaptionSettings,
    DatasetSettings,
    HubSettings,
    OutputSettings,
    PipelineSettings,
)
from quest22.sink.formats.captions import TIMED


def formats_with_times(formats: Iterable[str]) -> tuple[str, ...]:
    """Those of some output formats that need segments with times."""
    return tuple(sorted(TIMED.intersection(formats)))


@dataclass(frozen=True, slots=True)
class RunSettings:
    """A run over a dataset into a folder.

    ``max_failures`` is how many clips may fail before the run stops with
    :class:`quest22.errors.TooManyFailuresError`; None: no limit. ``restart`` replaces an earlier
    run. ``command`` resumes the run, and contains no secrets. The last three do not affect results.
    """

    dataset: DatasetSettings
    pipeline: PipelineSettings = field(default_factory=PipelineSettings)
    formats: tuple[str, ...] = ("jsonl",)
    captions: CaptionSettings = field(default_factory=CaptionSettings)
    push_to_hub: HubSettings | None = None
    max_failures: int | None = None
    restart: bool = False
    command: str | None = None

    @property
    def working_folder(self) -> Path:
        """The folder that relative paths are in."""
        return self.dataset.working_folder or Path.cwd()

    def output(self, folder: Path) -> OutputSettings:
        """The outputs of one run in its folder. Raises :class:`quest22.errors.UsageError`."""
        return OutputSettings(
            self.formats,
            folder,
            overwrite=self.restart,
            journaled=True,
            captions=self.captions,
        )

    def of_plan(self) -> RunSettings:
        """These settings for a plan, which does not say where it is published: its store does."""
        return replace(self.with_published_columns(), push_to_hub=None)

    def with_published_columns(self) -> RunSettings:
        """Published transcripts carry all columns of their source, unless some are named."""
        if self.push_to_hub is None or self.dataset.keep_columns:
            return self
        return replace(self, dataset=replace(self.dataset, keep_columns=(ALL_COLUMNS,)))
