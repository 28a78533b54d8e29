"""Opens the sinks for the requested outputs, new or continued from an earlier run."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

from quest22.errors import UsageError
from quest22.protocols import Sink, SinkState
from quest22.records import Failure, Transcript
from quest22.settings import RUN_FOLDER, OutputSettings
from quest22.sink.file_names import OutputNames
from quest22.sink.file_state import FileState
from quest22.sink.files import AppendedFile, StandardOutput, make_folder, writing
from quest22.sink.formats.caption_files import CaptionFilesSink, CaptionStreamSink
from quest22.sink.formats.captions import CAPTIONS
from quest22.sink.formats.jsonl import FailureSink, JsonLinesSink
from quest22.sink.formats.parquet import ParquetSink
from quest22.sink.ledger import LEDGER, LedgerSink

TRANSCRIPTS = "transcripts"
FAILURES = "failures.jsonl"
ROWS = "rows.jsonl"
NAMES = "names.jsonl"
NOTES = {"failures": "failures.notes", "jsonl": "transcripts.notes"}
"""Workspace files: rows until the run is finished, and the names of caption files, and
what lines are about to be written, by sink."""


class Sinks:
    """Several named sinks as one; each result goes to all of them."""

    def __init__(self, sinks: Mapping[str, Sink]) -> None:
        self._sinks = dict(sinks)

    def write(self, result: Transcript | Failure) -> None:
        for sink in self._sinks.values():
            sink.write(result)

    def publish(self) -> SinkState:
        return {name: sink.publish() for name, sink in self._sinks.items()}

    def with_sink(self, name: str, sink: Sink) -> Sinks:
        """The same sinks followed by another."""
        return Sinks({**self._sinks, name: sink})

    def close(self) -> None:
        """Close every sink in order, even after one of them fails to close."""
        with ExitStack() as closing:
            for sink in reversed(self._sinks.values()):
                closing.callback(sink.close)


def open_sinks(
    settings: OutputSettings, state: SinkState | None = None, reserved: Iterable[str] = ()
) -> Sink:
    """The sink that a run writes to.

    ``state`` is what an earlier process published, to continue from; None begins new outputs.
    ``reserved`` are stems of caption files that belong to other runs.

    Raises:
        UsageError: The folder holds the transcripts of an earlier run.
        SinkError: The folder cannot be made or written to.
    """
    if settings.folder is not None:
        return open_folder_sinks(settings.folder, settings, state, reserved)
    (name,) = settings.formats
    if name == "jsonl":
        return JsonLinesSink(StandardOutput())
    return CaptionStreamSink(StandardOutput(), name, settings.captions, live=sys.stdout.isatty())


def open_folder_sinks(
    folder: Path,
    settings: OutputSettings,
    state: SinkState | None = None,
    reserved: Iterable[str] = (),
) -> Sinks:
    """The sinks of a run into ``folder``, by name; as :func:`open_sinks`."""
    make_folder(folder)
    if state is None:
        refuse_earlier_results(settings)
    state = state or {}
    failures, transcripts = (
        settings.workspace / name if settings.journaled else None for name in NOTES.values()
    )
    failure_sink = FailureSink(folder / FAILURES, state.get("failures"), failures)
    sinks: dict[str, Sink] = {"failures": failure_sink}
    if "jsonl" in settings.formats:
        published = FileState.of(state.get("jsonl"))
        lines = AppendedFile(folder / f"{TRANSCRIPTS}.jsonl", published, transcripts)
        sinks["jsonl"] = JsonLinesSink(lines, state.get("jsonl"))
    if "parquet" in settings.formats:
        sinks["parquet"] = _parquet_sink(folder, settings, state.get("parquet"))
    captions = [name for name in settings.formats if name in CAPTIONS]
    if captions:
        names_file = settings.workspace / NAMES if settings.journaled else None
        names = OutputNames(folder, names_file, state.get("captions"), reserved)
        sinks["captions"] = CaptionFilesSink(
            names, captions, settings.captions, durable=settings.journaled
        )
    if settings.journaled:
        sinks["ledger"] = LedgerSink(settings.workspace / LEDGER, state.get("ledger"))
    return Sinks(sinks)


def _parquet_sink(folder: Path, settings: OutputSettings, state: SinkState | None) -> Sink:
    path = folder / f"{TRANSCRIPTS}.parquet"
    if settings.journaled:
        return ParquetSink(path, settings.workspace / ROWS, state, keep_spool=True)
    return ParquetSink(path, path.with_name(f".{TRANSCRIPTS}.{ROWS}"))


def refuse_earlier_results(settings: OutputSettings) -> None:
    """Raise UsageError if the run would replace an earlier run's results without ``overwrite``."""
    if settings.folder is None or settings.overwrite:
        return
    for name in ("jsonl", "parquet"):
        path = settings.folder / f"{TRANSCRIPTS}.{name}"
        if name in settings.formats and path.exists() and path.stat().st_size:
            raise UsageError(
                f"{path} contains transcripts of an earlier run: choose another --output-dir, or "
                "replace them with --restart"
            )


def remove_results(folder: Path) -> None:
    """Delete an earlier run's outputs and workspace files. Captions are the caller's to delete."""
    transcripts = (f"{TRANSCRIPTS}.jsonl", f"{TRANSCRIPTS}.parquet", f"{TRANSCRIPTS}-*.parquet")
    workspace_files = (f"{RUN_FOLDER}/{name}" for name in (ROWS, NAMES, LEDGER, *NOTES.values()))
    for pattern in (*transcripts, FAILURES, *workspace_files):
        for path in folder.glob(pattern):
            with writing(path):
                path.unlink(missing_ok=True)
