"""Tells what people did to the outputs of a run, before it goes on."""

from __future__ import annotations

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
    findings = check_outputs(output, progress.sinks, finished, whole=whole)
    if findings and output.folder is not None:
        on_event(OutputsEdited(output.folder, tuple(findings)))


def tell_edits_of_complete(output: OutputSettings, progress: Progress, on_event: OnEvent) -> None:
    """Tell what people did to the outputs of a run that has nothing left to do."""
    findings = find_edits(output, progress.sinks, progress.transcripts)
    if findings and output.folder is not None:
        on_event(OutputsEdited(output.folder, tuple(findings)))
