"""Transcripts as Parquet: the rows of JSONL with Arrow types.

Carried columns keep their types. A file is written under a temporary name and renamed when it is
complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quest22.errors import SinkError
from quest22.protocols import SinkState
from quest22.records import Failure, Transcript
from quest22.sink.file_state import FileState
from quest22.sink.files import make_folder
from quest22.sink.formats.arrow_table import TableFile, approx_bytes, schema_of, table_of
from quest22.sink.rows import row
from quest22.sink.spool import Spool
from quest22.storable import one_line

if TYPE_CHECKING:
    import pyarrow as pa

GROUP_ROWS = 1000
GROUP_BYTES = 16 << 20


class ParquetSink:
    """Writes rows to one Parquet file.

    A Parquet file cannot be continued, so rows are collected in a spool, where they survive a
    crash, and written as Parquet on ``close``. Memory is bounded by one row group. With
    ``keep_spool`` the spool outlives ``close``, for a run whose end is not recorded yet.
    """

    def __init__(
        self, path: Path, spool: Path, state: SinkState | None = None, *, keep_spool: bool = False
    ) -> None:
        make_folder(path.parent)
        self._path = path
        self._spool = Spool(spool, FileState.of(state))
        self._keep_spool = keep_spool

    def write(self, result: Transcript | Failure) -> None:
        if isinstance(result, Transcript):
            self._spool.append(row(result))

    def publish(self) -> SinkState:
        return self._spool.publish()

    def close(self) -> None:
        write_parquet(self._path, self._spool.rows())
        if self._keep_spool:
            self._spool.close()
        else:
            self._spool.remove()


def write_parquet(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows, as :func:`quest22.sink.rows.row` makes them, one row group at a time."""
    file = _ParquetFile(path)
    for group in row_groups(rows):
        file.write(group)
    file.close()


def row_groups(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Rows in lists, each one Parquet row group."""
    group: list[Mapping[str, Any]] = []
    size = 0
    for values in rows:
        group.append(values)
        size += approx_bytes(values)
        if len(group) >= GROUP_ROWS or size >= GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def parquet_parts(path: Path) -> list[Path]:
    """The files that :func:`write_parquet` wrote for ``path``, in order: itself, ``-2``, ``-3``."""
    parts = [path]
    while (part := path.with_name(f"{path.stem}-{len(parts) + 1}.parquet")).exists():
        parts.append(part)
    return parts


def count_rows(path: Path) -> int:
    """The number of rows that :func:`write_parquet` wrote. Raises SinkError."""
    import pyarrow.parquet as pq

    with _reading(path):
        return sum(int(pq.read_metadata(part).num_rows) for part in parquet_parts(path))


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (OSError, pa.ArrowException) as exc:
        reason = one_line(str(exc))
        raise SinkError(f"cannot read {path}: {reason}; put it back as it was") from exc


def read_parquet(path: Path) -> Iterator[dict[str, Any]]:
    """The rows that :func:`write_parquet` wrote, one at a time."""
    import pyarrow.parquet as pq

    for part in parquet_parts(path):
        with _reading(part), pq.ParquetFile(part) as file:
            for batch in file.iter_batches(batch_size=100):
                yield from batch.to_pylist()


class _ParquetFile:
    """Writes rows to Parquet, one row group at a time.

    A carried column without values in the first row group is written as string. A later value that
    does not fit its column's type starts the next file (``transcripts-2.parquet``), so that nothing
    is lost and no value is converted.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part: TableFile | None = None
        self._parts = 0

    def close(self) -> None:
        if self._part is None:
            self.write([])
        if self._part is not None:
            self._part.close()

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write one row group."""
        table = self._part.fit(rows) if self._part is not None else None
        if self._part is None or table is None:
            schema = schema_of(rows)
            table = table_of(rows, schema)
            self._part = self._next_part(schema)
        self._part.write(table)

    def _next_part(self, schema: pa.Schema) -> TableFile:
        if self._part is not None:
            self._part.close()
        self._parts += 1
        suffix = "" if self._parts == 1 else f"-{self._parts}"
        return TableFile(self._path.with_name(f"{self._path.stem}{suffix}.parquet"), schema)
