"""Reads existing transcripts row by row, for scoring. Knows files, not models.

The outputs of ``quest22 stream`` and ``quest22 transcribe`` need no options. Any other JSON lines,
Parquet, CSV or TSV file works too if it has a column of texts and one of references.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from quest22.errors import SourceError, UsageError
from quest22.evaluation.texts import TextPair, first_name

Row: TypeAlias = Mapping[str, Any]

KEY_COLUMNS = ("id", "key", "name", "file", "audio", "path")
BATCH_ROWS = 256


@dataclass(frozen=True, slots=True)
class TranscriptFile:
    """A file of transcripts and the names of its columns; ``references`` may be another file.

    Rows of the two files are joined by key: the first of the columns id, key, name, file, audio
    and path that a row has.
    """

    path: Path
    text_column: str = "text"
    reference_column: str | None = None
    references: Path | None = None

    def pairs(self) -> Iterator[TextPair]:
        """A pair for each row that has a reference.

        Raises :class:`SourceError` with file and row for whatever cannot be read.
        """
        references = self._references() if self.references else None
        for number, row in enumerate(rows(self.path), 1):
            key = _key(row) or f"row {number}"
            text = _text(row, self.text_column, self.path, number)
            reference = (
                references.get(key) if references is not None else self._reference(row, number)
            )
            if reference is not None:
                yield TextPair(key, reference, text or "", _language(row), _columns(row))

    def _reference(self, row: Row, number: int) -> str | None:
        if self.reference_column is None:
            return None if row.get("reference") is None else str(row["reference"])
        return _text(row, self.reference_column, self.path, number)

    def _references(self) -> dict[str, str]:
        path = self.references
        if path is None:
            return {}
        references = {}
        for number, row in enumerate(rows(path), 1):
            column = self.reference_column or ("reference" if "reference" in row else "text")
            key, text = _key(row), _text(row, column, path, number)
            if key is None:
                raise SourceError(
                    f"{path}, row {number}: expected a column {' or '.join(KEY_COLUMNS)}"
                )
            if text is not None:
                references[key] = text
        return references


def rows(path: Path) -> Iterator[Row]:
    """The rows of a file; its suffix names the format.

    Raises :class:`SourceError` if it cannot be read, and :class:`UsageError` for other suffixes.
    """
    readers = {".jsonl": _json_lines, ".json": _json_lines, ".parquet": _parquet}
    readers |= {".csv": _separated, ".tsv": _separated}
    if path.suffix.lower() not in readers:
        raise UsageError(f"{path}: expected a .jsonl, .parquet, .csv or .tsv file")
    if not path.is_file():
        raise SourceError(f"{path}: no such file")
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
                raise SourceError(f"{path}, line {number}: not JSON ({exc})") from exc
            if not isinstance(row, dict):
                raise SourceError(f"{path}, line {number}: expected a JSON object")
            yield row


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH_ROWS):
                yield from batch.to_pylist()
    except pa.ArrowException as exc:
        raise SourceError(f"{path} cannot be read as Parquet: {exc}") from exc


def _separated(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
        try:
            yield from csv.DictReader(file, delimiter=delimiter)
        except csv.Error as exc:
            raise SourceError(f"{path} cannot be read as a table: {exc}") from exc


def _key(row: Row) -> str | None:
    keys = (row[name] for name in KEY_COLUMNS if row.get(name) is not None)
    return next((str(key) for key in keys), None)


def _text(row: Row, column: str, path: Path, number: int) -> str | None:
    if column not in row:
        columns = ", ".join(str(name) for name in row)
        raise SourceError(f"{path}, row {number}: no column {column!r}; its columns are: {columns}")
    return None if row[column] is None else str(row[column])


def _columns(row: Row) -> dict[str, Any]:
    """A row's columns; those renamed to ``source_<name>`` also under their original names."""
    renamed = {name.removeprefix("source_"): name for name in row if name.startswith("source_")}
    return {**row, **{name: row[column] for name, column in renamed.items()}}


def _language(row: Row) -> str | None:
    """The language in which a row is scored.

    The source's column ``language`` if there is one, which our outputs call ``source_language`` (or
    ``_2`` if the source had one of that name too), else the detected or set language: the same
    choice as in :func:`quest22.evaluation.texts.reference_language`.
    """
    names = ("source_language_2", "source_language", "language")
    return first_name(*(row.get(name) for name in names))
