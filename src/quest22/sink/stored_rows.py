"""Reads back what a run has written: the rows of its transcripts, from the form that keeps most.

That is JSON lines, else the Parquet file, else the rows that wait to become one, else ``json``
files. Other captions hold no more than they show, so nothing else is made from them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from quest22.errors import SinkError, UsageError
from quest22.protocols import SinkState
from quest22.records import (
    Confidence,
    Damage,
    DroppedSegment,
    Origin,
    Segment,
    Transcript,
    Word,
)
from quest22.settings import CAPTION_FORMATS, RUN_FOLDER
from quest22.sink.build import NAMES, ROWS, TRANSCRIPTS
from quest22.sink.file_names import folded, read_paths, safe_stem
from quest22.sink.file_state import FileState
from quest22.sink.files import read_lines
from quest22.sink.formats.parquet import read_parquet
from quest22.sink.ledger import LEDGER, entries
from quest22.sink.rows import OWN_COLUMNS
from quest22.sink.spool import read_row

Row: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class StoredRows:
    """The rows of a run, and where they are from.

    ``format`` is that of the file; ``lacks`` says what it does not hold. ``unreadable`` counts
    places that could not be read, filled while the rows are; ``reasons`` are the first of them.
    """

    format: str
    path: Path
    read: Callable[[StoredRows], Iterator[Row]]
    lacks: str = ""
    unreadable: int = 0
    reasons: list[str] = field(default_factory=list)

    def rows(self) -> Iterator[Row]:
        """The rows, one at a time. Raises SinkError if reading fails for good."""
        return self.read(self)

    def skip(self, place: str, error: Exception) -> None:
        """Note that something could not be read."""
        self.unreadable += 1
        if len(self.reasons) < MAX_REASONS:
            self.reasons.append(f"{place}: {error}")


MAX_REASONS = 5


def find_rows(folder: Path, state: SinkState | None = None, *, finished: bool = True) -> StoredRows:
    """The best form of a run's transcripts in ``folder``, or in a file.

    ``state`` is what the run's sinks published; without any, files are taken as they are.

    Raises :class:`UsageError` if there is none, with what there is.
    """
    if folder.is_file():
        return _of_file(folder)
    state = state or {}
    lines, table = folder / f"{TRANSCRIPTS}.jsonl", folder / f"{TRANSCRIPTS}.parquet"
    spool = folder / RUN_FOLDER / ROWS
    if _has_content(lines):
        return StoredRows("jsonl", lines, _lines_of(lines, FileState.of(state.get("jsonl"))))
    if table.exists() and (finished or not _has_content(spool)):
        return StoredRows("parquet", table, lambda stored: read_parquet(stored.path))
    if _has_content(spool):
        size = FileState.of(state.get("parquet"))
        return StoredRows("parquet", spool, _lines_of(spool, size, read_row))
    if paths := _json_files(folder, state):
        lacks = "json files hold no durations, references, columns and origins"
        return StoredRows("json", folder, lambda stored: _documents(stored, folder, paths), lacks)
    raise UsageError(_nothing_in(folder))


def _of_file(path: Path) -> StoredRows:
    if path.suffix == ".jsonl":
        return StoredRows("jsonl", path, _lines_of(path, FileState()))
    if path.suffix == ".parquet":
        return StoredRows("parquet", path, lambda stored: read_parquet(stored.path))
    raise UsageError(f"{path}: expected a run's folder, or its .jsonl or .parquet file")


def _has_content(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _nothing_in(folder: Path) -> str:
    if not folder.is_dir():
        return f"no such folder: {folder}"
    files = (path for path in folder.rglob("*") if folder / RUN_FOLDER not in path.parents)
    kinds = sorted({path.suffix[1:] for path in files}.intersection(CAPTION_FORMATS))
    if not kinds:
        return f"{folder} holds no transcripts: expected the folder of a run"
    return (
        f"{folder} holds {', '.join(kinds)} only, which keep what they show and no more: other "
        "formats are made from transcripts.jsonl, transcripts.parquet or json files, so run with "
        "-f jsonl too"
    )


def _lines_of(
    path: Path, published: FileState, read: Callable[[bytes], Row] = json.loads
) -> Callable[[StoredRows], Iterator[Row]]:
    """The lines of a file as the run published them, or all, if somebody has changed it."""

    def rows(stored: StoredRows) -> Iterator[Row]:
        size = path.stat().st_size
        if published.size:
            try:
                published.check(path, whole=True)
                size = published.size
            except SinkError:
                stored.reasons.append(f"{path} was changed by hand, and is taken as it is")
        for number, line in enumerate(read_lines(path, size), start=1):
            try:
                row = read(line)
                if not isinstance(row, dict):
                    raise ValueError("not a JSON object")
            except (ValueError, TypeError, KeyError, RecursionError) as exc:
                stored.skip(f"{path}, line {number}", exc)
                continue
            yield row

    return rows


def _json_files(folder: Path, state: SinkState) -> list[tuple[str | None, Path]]:
    """The json files of a folder with their clips' keys, in the run's order if that is known."""
    names = folder / RUN_FOLDER / NAMES
    size = FileState.of(state.get("captions")).size
    known = list(read_paths(read_lines(names, size))) if size and names.exists() else []
    ledger = entries(folder / RUN_FOLDER / LEDGER, state.get("ledger"))
    keys: list[str | None] = [entry.key for entry in ledger if not entry.failed]
    if len(keys) != len(known):
        keys = [None] * len(known)
    keys = [
        key if key and _is_named(name, key) else None for name, key in zip(known, keys, strict=True)
    ]
    paths = [folder / f"{name}.json" for name in known]
    if any(path.exists() for path in paths):
        return list(zip(keys, paths, strict=True))
    hidden = folder / RUN_FOLDER
    found = (path for path in folder.rglob("*.json") if hidden not in path.parents)
    return [(None, path) for path in sorted(found)]


def _is_named(name: str, key: str) -> bool:
    """Whether a file may be that of a clip; a retry appends names that the ledger inserts."""
    return folded(name).startswith(folded(safe_stem(key)))


def _documents(
    stored: StoredRows, folder: Path, paths: list[tuple[str | None, Path]]
) -> Iterator[Row]:
    for key, path in paths:
        try:
            document = json.loads(path.read_bytes())
            name = path.relative_to(folder).with_suffix("").as_posix()
            row = _row_of_document(key or name, document)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
            stored.skip(str(path), exc)
            continue
        yield row


def _row_of_document(key: str, document: Row) -> Row:
    segments = [
        {name: each for name, each in segment.items() if name not in ("id", "seek", "tokens")}
        for segment in document["segments"]
    ]
    ends = [segment["end"] for segment in (*segments, *document.get("dropped", ()))]
    return {
        "id": key,
        "text": document["text"],
        "language": document.get("language"),
        "language_probability": document.get("language_probability", 0.0),
        "duration": max(ends, default=0.0),
        **{name: document[name] for name in ("confidence",) if name in document},
        "segments": segments,
        **{name: document[name] for name in ("dropped", "damage") if document.get(name)},
        "origin": {"dataset": "", "revision": None, "file": None, "row": None},
    }


def transcript_of(row: Row, name: str) -> Transcript:
    """The transcript that a row describes; its segments have no tokens.

    Raises KeyError, TypeError or ValueError for a row that is none.
    """
    return Transcript(
        key=str(row["id"]),
        name=name,
        text=str(row["text"]),
        language=row.get("language"),
        language_probability=float(row.get("language_probability") or 0.0),
        duration_s=float(row.get("duration") or 0.0),
        segments=tuple(_segment(each) for each in row.get("segments") or ()),
        origin=Origin(**(row.get("origin") or {"dataset": ""})),
        reference=row.get("reference"),
        columns={key: value for key, value in row.items() if key not in OWN_COLUMNS},
        dropped=tuple(
            DroppedSegment(
                each["start"],
                each["end"],
                each["reason"],
                each.get("text") or "",
                each.get("channel"),
            )
            for each in row.get("dropped") or ()
        ),
        damage=tuple(
            Damage(each["start"], each["end"], each["reason"]) for each in row.get("damage") or ()
        ),
        confidence=Confidence(**(row.get("confidence") or {})),
    )


def _segment(row: Row) -> Segment:
    words = row.get("words")
    return Segment(
        float(row["start"]),
        float(row["end"]),
        str(row["text"]),
        avg_logprob=float(row.get("avg_logprob") or 0.0),
        no_speech_prob=float(row.get("no_speech_prob") or 0.0),
        compression_ratio=float(row.get("compression_ratio") or 0.0),
        temperature=float(row.get("temperature") or 0.0),
        words=None if words is None else tuple(map(_word, words)),
        language=row.get("language"),
        language_probability=float(row.get("language_probability") or 0.0),
        channel=row.get("channel"),
    )


def _word(row: Row) -> Word:
    return Word(
        float(row["start"]), float(row["end"]), str(row["word"]), float(row.get("probability") or 0)
    )


def tidy(row: Row) -> Row:
    """A row without what JSON lines leave out: values that a table must state, but nobody knows."""
    optional = ("reference", "confidence", "dropped", "damage")
    kept = {name: value for name, value in row.items() if value is not None or name not in optional}
    if isinstance(kept.get("segments"), list):
        kept["segments"] = [_tidy_segment(segment) for segment in kept["segments"]]
    if isinstance(kept.get("dropped"), list):
        kept["dropped"] = [_without_null(each, "channel") for each in kept["dropped"]]
    return kept


def _tidy_segment(segment: Any) -> Any:
    if not isinstance(segment, dict):
        return segment
    kept = _without_null(segment, "words", "language", "channel")
    if "language" not in kept:
        kept.pop("language_probability", None)
    if isinstance(kept.get("words"), list):
        kept["words"] = [_without_null(word, "channel") for word in kept["words"]]
    return kept


def _without_null(values: Any, *optional: str) -> Any:
    if not isinstance(values, dict):
        return values
    return {name: each for name, each in values.items() if each is not None or name not in optional}
