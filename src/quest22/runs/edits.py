"""Tells what people did to the outputs of a run, before it goes on."""

from __future__ import annotations

from collections.abc import Sequence

from quest22.runs.events import OnEvent, OutputsEdited
from quest22.runs.journal import Progress
from quest22.settings import OutputSettings
from quest22.sink.edits import check_outputs, find_edits


def tell_edits(output: OutputSettings, progress: Progress, on_event: OnEvent) -> None:
    """Check a run's outputs, as a whole if the run is finished, and tell what was found.

    Raises :class:`quest22.errors.SinkError` if what was published is gone or changed.
    """
    finished = progress.transcripts if progress.finished else None
    whole = progress.finished
    _tell(check_outputs(output, progress.sinks, finished, whole=whole), output, on_event)


def tell_edits_of_complete(output: OutputSettings, progress: Progress, on_event: OnEvent) -> None:
    """Tell what people did to the outputs of a run that has nothing left to do."""
    _tell(find_edits(output, progress.sinks, progress.transcripts), output, on_event)


def _tell(findings: Sequence[str], output: OutputSettings, on_event: OnEvent) -> None:
    if findings and output.folder is not None:
        on_event(OutputsEdited(output.folder, tuple(findings)))
