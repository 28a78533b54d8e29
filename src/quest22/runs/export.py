"""Writes the transcripts of a run in other formats, without transcribing anything.

Takes what the run has written, in the form that keeps most of it: see
:mod:`quest22.sink.stored_rows`. The run may be finished, interrupted, or unable to finish.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any
from zlib import crc32

from quest22.errors import UsageError
from quest22.records import Transcript
from quest22.runs.journal import Journal
from quest22.runs.store import LocalRunStore
from quest22.settings import CaptionSettings
from quest22.sink.build import TRANSCRIPTS
from quest22.sink.file_names import OutputNames
from quest22.sink.files import AppendedFile, make_folder, writing
from quest22.sink.formats.caption_files import CaptionFilesSink
from quest22.sink.formats.captions import CAPTIONS, TIMED
from quest22.sink.formats.jsonl import JsonLinesSink
from quest22.sink.formats.parquet import parquet_parts, write_parquet
from quest22.sink.stored_rows import StoredRows, find_rows, tidy, transcript_of
from quest22.source.io.address import HIDDEN, is_url
from quest22.source.listing import name_below
from quest22.system.atomic_files import publish_file


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """Which formats are written, and where: into the run's own folder, if ``folder`` is None."""

    formats: tuple[str, ...]
    folder: Path | None = None
    captions: CaptionSettings = field(default_factory=CaptionSettings)
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """What was exported, from which files into which folder.

    ``unreadable`` places were left out. ``notes`` say what the new files lack and what was odd, a
    line each.
    """

    transcripts: int
    unreadable: int
    source: Path
    folder: Path
    notes: tuple[str, ...] = ()


def export(folder: Path, settings: ExportSettings) -> list[ExportSummary]:
    """Write a run's transcripts, or each shard's, in other formats: what ``quest22 export`` does.

    Raises:
        UsageError: There are no transcripts, none from which the formats can be made, or files that
        would be replaced. SinkError: A file cannot be read or written.
    """
    runs = LocalRunStore(folder).runs() if folder.is_dir() else []
    if len(runs) < 2 and (not runs or runs[0].folder == folder):
        return [_export(folder, settings)]
    target = settings.folder
    return [
        _export(
            run.folder, replace(settings, folder=target and target / run.folder.relative_to(folder))
        )
        for run in runs
    ]


def _export(folder: Path, settings: ExportSettings) -> ExportSummary:
    journal = Journal.read(folder) if folder.is_dir() else None
    target = settings.folder or (folder if folder.is_dir() else folder.parent)
    into_run = journal is not None and target.resolve() == folder.resolve()
    with LocalRunStore(folder).lock() if into_run else nullcontext():
        progress = journal.progress if journal else None
        finished = progress is None or progress.finished
        state = None if progress is None else progress.sinks
        stored = find_rows(folder, state, finished=finished)
        summary = _Export(stored, target, settings).write()
    if finished:
        return summary
    note = f"the run in {folder} is not finished: these are its transcripts so far"
    return replace(summary, notes=(*summary.notes, note))


class _Export:
    """One pass over stored rows, which writes all formats."""

    def __init__(self, stored: StoredRows, folder: Path, settings: ExportSettings) -> None:
        self._stored = stored
        self._folder = folder
        self._settings = settings
        self._captions = tuple(name for name in settings.formats if name in CAPTIONS)
        self._count = self._untimed = self._wordless = 0

    def write(self) -> ExportSummary:
        self._check_targets()
        make_folder(self._folder)
        rows = self._with_lines(self._with_captions(self._readable()))
        if "parquet" in self._settings.formats:
            write_parquet(self._target("parquet"), rows)
        else:
            for _ in rows:
                pass
        stored = self._stored
        return ExportSummary(
            self._count, stored.unreadable, stored.path, self._folder, tuple(self._notes())
        )

    def _target(self, name: str) -> Path:
        return self._folder / f"{TRANSCRIPTS}.{name}"

    def _check_targets(self) -> None:
        for name in ("jsonl", "parquet"):
            path = self._target(name)
            if name not in self._settings.formats or not path.exists():
                continue
            if path.resolve() == self._stored.path.resolve():
                raise UsageError(
                    f"{path} is what the run has written: choose another format, or another "
                    "--output-dir"
                )
            self._may_replace(path)
        if "parquet" in self._settings.formats and self._settings.overwrite:
            for path in parquet_parts(self._target("parquet")):
                with writing(path):
                    path.unlink(missing_ok=True)

    def _may_replace(self, path: Path) -> None:
        if not self._settings.overwrite:
            raise UsageError(
                f"{path} exists: choose another --output-dir, or replace it with --overwrite"
            )

    def _readable(self) -> Iterator[dict[str, Any]]:
        """The rows that are transcripts."""
        for number, row in enumerate(self._stored.rows(), start=1):
            try:
                transcript_of(row, "")
            except (KeyError, TypeError, ValueError, AttributeError) as exc:
                self._stored.skip(f"{self._stored.path}, row {number}", exc)
                continue
            self._count += 1
            yield row

    def _with_captions(self, rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        if not self._captions:
            yield from rows
            return
        names = _CheckedNames(self._folder, None if self._settings.overwrite else self._may_replace)
        sink = CaptionFilesSink(names, self._captions, self._settings.captions)
        with closing(sink):
            for row in rows:
                transcript = transcript_of(row, name_of(row))
                self._count_lacks(transcript)
                sink.write(transcript)
                yield row

    def _with_lines(self, rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        if "jsonl" not in self._settings.formats:
            yield from rows
            return
        path = self._target("jsonl")
        partial = path.with_name(f"{path.name}.partial")
        lines = JsonLinesSink(AppendedFile(partial))
        with closing(lines):
            for row in rows:
                lines.write_row(tidy(row))
                yield row
        with writing(path):
            publish_file(partial, path)

    def _count_lacks(self, transcript: Transcript) -> None:
        if not transcript.text.strip():
            return
        self._untimed += not transcript.segments
        self._wordless += any(segment.words is None for segment in transcript.segments)

    def _notes(self) -> Iterator[str]:
        yield from self._stored.reasons
        if self._stored.lacks and {"jsonl", "parquet"}.intersection(self._settings.formats):
            yield self._stored.lacks
        if self._untimed and TIMED.intersection(self._captions):
            yield (
                f"{self._untimed:,} transcripts have no times, so that each is one caption: runs "
                "keep them with --timestamps"
            )
        if self._wordless and self._settings.captions.needs_words:
            yield (
                f"{self._wordless:,} transcripts have no times of words, so that their captions "
                "are laid out by segments: runs keep them with --word-timestamps"
            )
        if "json" in self._captions and self._stored.format != "json":
            yield "tokens are not kept in rows: those of the json files are empty"


class _CheckedNames(OutputNames):
    """Names of files none of which is replaced, unless by the same content."""

    def __init__(self, folder: Path, refuse: Callable[[Path], None] | None) -> None:
        super().__init__(folder)
        self._refuse = refuse

    def stem(self, name: str, files: Mapping[str, Any] | None = None) -> Path:
        stem = super().stem(name)
        for suffix, (size, crc) in (files or {}).items():
            path = stem.with_name(f"{stem.name}.{suffix}")
            if self._refuse and path.exists() and not _is(path, size, crc):
                self._refuse(path)
        return stem


def _is(path: Path, size: int, crc: int) -> bool:
    with writing(path):
        return path.stat().st_size == size and crc32(path.read_bytes()) == crc


def name_of(row: Mapping[str, Any]) -> str:
    """What a clip's files are named after, as the run named them.

    A clip of a dataset is named after its key, a file after its path below the folder or pattern
    that it was found by.
    """
    key, origin = str(row["id"]), row.get("origin") or {}
    file, argument = origin.get("file"), origin.get("dataset") or ""
    if file != key:
        return key
    if is_url(key) or not argument:
        return PurePosixPath(key.partition(HIDDEN)[0]).name or key
    return name_below(key, argument)
