"""From what a run is asked to write to the sinks that write it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

from quest22.errors import UsageError
from quest22.protocols import Sink, SinkState
from quest22.records import Failure, Transcript
from quest22.settings import RUN_FOLDER, OutputSettings
from quest22.sink.caption_files import CaptionFilesSink, CaptionStreamSink
from quest22.sink.captions import CAPTIONS
from quest22.sink.file_names import OutputNames
from quest22.sink.files import AppendedFile, StandardOutput, make_folder, writing
from quest22.sink.jsonl import FailureSink, JsonLinesSink
from quest22.sink.ledger import LEDGER, LedgerSink
from quest22.sink.parquet import ParquetSink

TRANSCRIPTS = "transcripts"
FAILURES = "failures.jsonl"
ROWS = "rows.jsonl"
NAMES = "names.jsonl"
"""What a run keeps in its workspace: rows until it is finished, names of captions for good."""


class Sinks:
    """Several sinks by name as one; each result goes to all of them."""

    def __init__(self, sinks: Mapping[str, Sink]) -> None:
        self._sinks = dict(sinks)

    def write(self, result: Transcript | Failure) -> None:
        for sink in self._sinks.values():
            sink.write(result)

    def publish(self) -> SinkState:
        return {name: sink.publish() for name, sink in self._sinks.items()}

    def close(self) -> None:
        """Close every sink, also after one of them failed to."""
        with ExitStack() as closing:
            for sink in self._sinks.values():
                closing.callback(sink.close)


class CombinedSink:
    """A sink and one more by name, after it; what they need to go on stands side by side."""

    def __init__(self, first: Sink, name: str, more: Sink) -> None:
        self._first = first
        self._name = name
        self._more = more

    def write(self, result: Transcript | Failure) -> None:
        self._first.write(result)
        self._more.write(result)

    def publish(self) -> SinkState:
        return {**self._first.publish(), self._name: self._more.publish()}

    def close(self) -> None:
        """Close both, also after the first failed to."""
        with ExitStack() as closing:
            closing.callback(self._more.close)
            closing.callback(self._first.close)


def open_sinks(
    settings: OutputSettings, kept: SinkState | None = None, taken: Iterable[str] = ()
) -> Sink:
    """The sink that a run writes to; ``kept`` is what an earlier one published, to go on from.

    ``taken`` are stems of caption files that others have.

    Raises:
        UsageError: The folder holds the transcripts of an earlier run.
        SinkError: The folder cannot be made or written to.
    """
    if settings.folder is not None:
        make_folder(settings.folder)
        if kept is None:
            refuse_earlier_results(settings)
        return _in_folder(settings.folder, settings, kept or {}, taken)
    (name,) = settings.formats
    if name == "jsonl":
        return JsonLinesSink(StandardOutput())
    return CaptionStreamSink(StandardOutput(), name, settings.captions)


def _in_folder(
    folder: Path, settings: OutputSettings, kept: SinkState, taken: Iterable[str]
) -> Sink:
    sinks: dict[str, Sink] = {"failures": FailureSink(folder / FAILURES, kept.get("failures"))}
    if "jsonl" in settings.formats:
        kept_bytes = int(kept.get("jsonl", {}).get("bytes", 0))
        sinks["jsonl"] = JsonLinesSink(AppendedFile(folder / f"{TRANSCRIPTS}.jsonl", kept_bytes))
    if "parquet" in settings.formats:
        sinks["parquet"] = _parquet(folder, settings, kept.get("parquet"))
    captions = [name for name in settings.formats if name in CAPTIONS]
    if captions:
        memory = settings.workspace / NAMES if settings.journaled else None
        names = OutputNames(folder, memory, kept.get("captions"), taken)
        sinks["captions"] = CaptionFilesSink(
            names, captions, settings.captions, durable=settings.journaled
        )
    if settings.journaled:
        sinks["ledger"] = LedgerSink(settings.workspace / LEDGER, kept.get("ledger"))
    return Sinks(sinks)


def _parquet(folder: Path, settings: OutputSettings, kept: SinkState | None) -> Sink:
    path = folder / f"{TRANSCRIPTS}.parquet"
    if settings.journaled:
        return ParquetSink(path, settings.workspace / ROWS, kept, keep_spool=True)
    return ParquetSink(path, path.with_name(f".{TRANSCRIPTS}.{ROWS}"))


def refuse_earlier_results(settings: OutputSettings) -> None:
    """Raise UsageError where a run would replace an earlier one's results unasked."""
    if settings.folder is None or settings.overwrite:
        return
    for name in ("jsonl", "parquet"):
        path = settings.folder / f"{TRANSCRIPTS}.{name}"
        if name in settings.formats and path.exists() and path.stat().st_size:
            raise UsageError(
                f"{path} holds the transcripts of an earlier run: choose another --output-dir, or "
                "replace it with --restart"
            )


def remove_results(folder: Path) -> None:
    """Remove what an earlier run wrote under names of ours. Captions are others' to remove."""
    written = (f"{TRANSCRIPTS}.jsonl", f"{TRANSCRIPTS}.parquet", f"{TRANSCRIPTS}-*.parquet")
    for pattern in (
        *written,
        FAILURES,
        *(f"{RUN_FOLDER}/{name}" for name in (ROWS, NAMES, LEDGER)),
    ):
        for path in folder.glob(pattern):
            with writing(path):
                path.unlink(missing_ok=True)
