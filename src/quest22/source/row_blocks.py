"""Where a data file may be divided among several readers, and about how much sound lies between.

Sound is estimated and not read: from a column of durations, else from the bytes of the audio
column, else from the number of rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from quest22.source.columns import Columns
from quest22.source.formats.data_files import DataFile
from quest22.source.formats.parquet import ParquetRows
from quest22.source.rows import OpenEnd, RowError, Values

BYTES_PER_SECOND = 16_000
"""Of stored audio: between MP3 for speech (8,000) and 16-bit samples at 16 kHz (32,000)."""

SECONDS_PER_ROW = 15.0
"""Of a row that refers to its audio and does not say how long it is."""

MIN_STORED_BYTES = 2_000
"""A row whose audio takes less than this on average refers to a recording."""


class RowBlock(NamedTuple):
    """Consecutive rows before which reading may begin, and an estimate of their sound."""

    rows: int
    audio_s: float


def row_blocks(file: DataFile, columns: Columns) -> Iterator[RowBlock]:
    """The blocks of an open file that can be read from any row on; Parquet's are row groups."""
    if isinstance(file, ParquetRows):
        yield from _row_groups(file, columns.audio)
        return
    for _, values in file.rows(0):
        if isinstance(values, OpenEnd):
            return
        yield RowBlock(1, 0.0 if isinstance(values, RowError) else _seconds(values, columns))


def _row_groups(file: ParquetRows, audio: str) -> Iterator[RowBlock]:
    for number in range(file.footer.num_row_groups):
        group = file.footer.row_group(number)
        chunks = (group.column(each) for each in range(group.num_columns))
        stored = sum(
            chunk.total_compressed_size
            for chunk in chunks
            if chunk.path_in_schema.partition(".")[0] == audio
        )
        rows = int(group.num_rows)
        refers = stored < MIN_STORED_BYTES * rows
        yield RowBlock(rows, SECONDS_PER_ROW * rows if refers else stored / BYTES_PER_SECOND)


def _seconds(values: Values, columns: Columns) -> float:
    told = values.get(columns.duration or "duration")
    if isinstance(told, int | float) and 0 < told < 1e6:
        return float(told)
    stored = _stored_bytes(values.get(columns.audio))
    return SECONDS_PER_ROW if stored < MIN_STORED_BYTES else stored / BYTES_PER_SECOND


def _stored_bytes(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(_stored_bytes, value.values()))
    return len(value) if isinstance(value, bytes | str | list) else 0
