"""From what a run is asked to write to the sinks that write it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from quest22.errors import UsageError
from quest22.records import Failure, Transcript
from quest22.sink.captions import CAPTIONS
from quest22.sink.jsonl import FailureSink, JsonLinesSink
from quest22.sink.output import AppendedFile, StandardOutput, make_folder, writing
from quest22.sink.parquet import ParquetSink
from quest22.sink.perclip import CaptionFilesSink, CaptionStreamSink
from quest22.stages import Sink

FORMATS = (*CAPTIONS, "jsonl", "parquet")
TRANSCRIPTS = "transcripts"
FAILURES = "failures.jsonl"


@dataclass(frozen=True, slots=True)
class OutputSettings:
    """Which formats are written, and where; no folder means standard output.

    ``overwrite`` lets a run replace the ``transcripts.*`` of an earlier one. Raises
    :class:`UsageError` for formats that cannot be written there.
    """

    formats: tuple[str, ...]
    folder: Path | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        if not self.formats:
            raise UsageError(f"no output format: expected one or more of {', '.join(FORMATS)}")
        if self.folder is None and len(self.formats) > 1:
            raise UsageError(
                f"{len(self.formats)} formats ({', '.join(self.formats)}) cannot share standard "
                "output: name a folder with --output-dir, or one format"
            )
        if self.folder is None and self.formats == ("parquet",):
            raise UsageError(
                "parquet cannot go to standard output: name a folder with --output-dir"
            )


class Sinks:
    """Several sinks as one; each result goes to all of them."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = tuple(sinks)

    def write(self, result: Transcript | Failure) -> None:
        for sink in self._sinks:
            sink.write(result)

    def close(self) -> None:
        """Close every sink, also after one of them failed to."""
        with ExitStack() as closing:
            for sink in self._sinks:
                closing.callback(sink.close)


def parse_formats(named: Iterable[str]) -> tuple[str, ...]:
    """Formats from ``srt,vtt`` and the like, each once; ``all`` is openai/whisper's five.

    Raises:
        UsageError: A name is not a format.
    """
    names = [name.strip().lower() for text in named for name in text.split(",")]
    chosen: list[str] = []
    for name in names:
        if name not in (*FORMATS, "all"):
            raise UsageError(
                f"unknown output format {name!r}: expected one or more of {', '.join(FORMATS)}, all"
            )
        chosen += CAPTIONS if name == "all" else [name]
    return tuple(dict.fromkeys(chosen))


def open_sinks(settings: OutputSettings) -> Sink:
    """The sink that a run writes to.

    Raises:
        UsageError: The folder holds the transcripts of an earlier run.
        SinkError: The folder cannot be made or written to.
    """
    if settings.folder is not None:
        return _in_folder(settings.folder, settings)
    (name,) = settings.formats
    if name == "jsonl":
        return JsonLinesSink(StandardOutput())
    return CaptionStreamSink(StandardOutput(), name)


def _in_folder(folder: Path, settings: OutputSettings) -> Sink:
    make_folder(folder)
    if not settings.overwrite:
        _refuse_earlier_results(folder, settings.formats)
    with writing(folder / FAILURES):
        (folder / FAILURES).unlink(missing_ok=True)
    sinks: list[Sink] = [FailureSink(folder / FAILURES)]
    if "jsonl" in settings.formats:
        sinks.append(JsonLinesSink(AppendedFile(folder / f"{TRANSCRIPTS}.jsonl")))
    if "parquet" in settings.formats:
        sinks.append(ParquetSink(folder / f"{TRANSCRIPTS}.parquet"))
    captions = [name for name in settings.formats if name in CAPTIONS]
    if captions:
        sinks.append(CaptionFilesSink(folder, captions))
    return Sinks(sinks)


def _refuse_earlier_results(folder: Path, formats: Sequence[str]) -> None:
    for name in ("jsonl", "parquet"):
        path = folder / f"{TRANSCRIPTS}.{name}"
        if name in formats and path.exists() and path.stat().st_size:
            raise UsageError(
                f"{path} holds the transcripts of an earlier run: choose another --output-dir, or "
                "replace it with --overwrite"
            )
