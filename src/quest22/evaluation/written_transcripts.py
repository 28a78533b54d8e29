"""Transcripts that were written earlier, row by row, to be scored. Knows files, not models.

What ``quest22 stream`` and ``quest22 transcribe`` write is read as it is; any other JSON lines,
Parquet, CSV or TSV with a column of texts and one of references too.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from quest22.errors import SourceError, UsageError
from quest22.evaluation.reports import Pair

Row: TypeAlias = Mapping[str, Any]

KEYS = ("id", "key", "name", "file", "audio", "path")
ROWS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class WrittenTranscripts:
    """A file of transcripts, and the names of its columns; ``references`` may be another file.

    Rows of the two are brought together by their key, the first of id, key, name, file, audio and
    path that both have.
    """

    path: Path
    text_column: str = "text"
    reference_column: str | None = None
    references: Path | None = None

    def pairs(self) -> Iterator[Pair]:
        """A pair for each row that has a reference.

        Raises :class:`SourceError` for what cannot be read, with the file and the line.
        """
        known = self._references() if self.references else None
        for number, row in enumerate(rows(self.path), 1):
            key = _key(row) or f"row {number}"
            text = _text(row, self.text_column, self.path, number)
            reference = known.get(key) if known is not None else self._reference(row, number)
            if reference is not None:
                yield Pair(key, reference, text or "", _language(row), _columns(row))

    def _reference(self, row: Row, number: int) -> str | None:
        if self.reference_column is None:
            return None if row.get("reference") is None else str(row["reference"])
        return _text(row, self.reference_column, self.path, number)

    def _references(self) -> dict[str, str]:
        path = self.references
        if path is None:
            return {}
        found = {}
        for number, row in enumerate(rows(path), 1):
            column = self.reference_column or ("reference" if "reference" in row else "text")
            key, text = _key(row), _text(row, column, path, number)
            if key is None:
                raise SourceError(f"{path}, row {number}: expected a column {' or '.join(KEYS)}")
            if text is not None:
                found[key] = text
        return found


def rows(path: Path) -> Iterator[Row]:
    """The rows of a file, by its suffix. Raises :class:`SourceError` and :class:`UsageError`."""
    readers = {".jsonl": _json_lines, ".json": _json_lines, ".parquet": _parquet}
    readers |= {".csv": _separated, ".tsv": _separated}
    if path.suffix.lower() not in readers:
        raise UsageError(f"{path}: expected a file of .jsonl, .parquet, .csv or .tsv")
    if not path.is_file():
        raise SourceError(f"{path}: there is no such file")
    try:
        yield from readers[path.suffix.lower()](path)
    except (OSError, UnicodeDecodeError) as exc:
        raise SourceError(f"{path} cannot be read: {exc}") from exc


def _json_lines(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as exc:
                raise SourceError(f"{path}, line {number}: this is not JSON ({exc})") from exc
            if not isinstance(row, dict):
                raise SourceError(f"{path}, line {number}: expected an object with named values")
            yield row


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS_AT_ONCE):
                yield from batch.to_pylist()
    except pa.ArrowException as exc:
        raise SourceError(f"{path} cannot be read as Parquet: {exc}") from exc


def _separated(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        mark = "\t" if path.suffix.lower() == ".tsv" else ","
        try:
            yield from csv.DictReader(file, delimiter=mark)
        except csv.Error as exc:
            raise SourceError(f"{path} cannot be read as a table: {exc}") from exc


def _key(row: Row) -> str | None:
    found = (row[name] for name in KEYS if row.get(name) is not None)
    return next((str(value) for value in found), None)


def _text(row: Row, column: str, path: Path, number: int) -> str | None:
    if column not in row:
        there = ", ".join(str(name) for name in row)
        raise SourceError(f"{path}, row {number}: there is no column {column!r}; it has {there}")
    return None if row[column] is None else str(row[column])


def _columns(row: Row) -> dict[str, Any]:
    """A row's columns, those that were renamed for one of ours by their own names as well."""
    renamed = {name.removeprefix("source_"): name for name in row if name.startswith("source_")}
    return {**row, **{name: row[written] for name, written in renamed.items()}}


def _language(row: Row) -> str | None:
    """The source's own column of that name if there is one, else what was heard or asked for."""
    named = row.get("source_language") or row.get("language")
    return named if isinstance(named, str) else None
