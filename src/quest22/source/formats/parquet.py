"""Rows of a Parquet file from any row on, reading only the row groups and columns they need.

A damaged page costs its own rows, each of which becomes a RowError; other damage in a row group
costs the rest of its rows.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence, Set
from itertools import accumulate
from typing import Any, TypeAlias

from quest22.source.formats.arrow_values import value_of
from quest22.source.formats.parquet_checks import (
    CheckedFile,
    FooterFile,
    check_row_group,
    compressions,
    largest_value_bytes,
)
from quest22.source.formats.parquet_pages import Patch, Patched, damaged_pages, null_patch
from quest22.source.io.address import redact
from quest22.source.io.error_kinds import reason_of
from quest22.source.io.prefetch import PrefetchedFile, Prefetcher, Span, interleaved_spans
from quest22.source.io.ranges import RangeReader
from quest22.source.io.retry import NetworkError, RetryingClient
from quest22.source.limits import LimitError
from quest22.source.rows import NumberedRow, RowError, Values

BATCH_BYTES = 8 << 20
MAX_BATCH_BYTES = 64 << 20
BATCH_ROWS = 64
SLICE_BYTES = 256 << 10


Selection: TypeAlias = Callable[[Any], Collection[str]]
"""Gives the columns to read of a file with this Arrow schema."""


class ParquetRows:
    """The rows of one open file; a :class:`DataFile`.

    The constructor reads the footer; it raises what opening the file and pyarrow raise.
    """

    def __init__(
        self,
        address: str,
        select: Selection,
        client: RetryingClient,
        prefetcher: Prefetcher,
        footer: Any = None,
    ) -> None:
        """``select`` names the columns to read; ``footer``: the metadata, if it was read before."""
        import pyarrow.parquet as pq

        self._name = redact(address)
        reader = RangeReader(address, client, remember=True)
        self._file = PrefetchedFile(reader, prefetcher)
        self._range_bytes = client.settings.range_bytes
        try:
            self.footer = footer or pq.read_metadata(FooterFile(self._file))
            schema = self.footer.schema.to_arrow_schema()
            wanted = set(select(schema))
            self._names = [name for name in schema.names if name in wanted]
            self._check_claims(reader.size)
        except BaseException:
            self._file.close()
            raise
        sizes = [self.footer.row_group(n).num_rows for n in range(self.footer.num_row_groups)]
        self._group_starts = list(accumulate(sizes, initial=0))

    def _check_claims(self, size: int) -> None:
        for number in range(self.footer.num_row_groups):
            needed = [(chunk, _span(chunk)) for chunk in self._chunks(number)]
            check_row_group(self.footer.row_group(number), needed, size)

    @property
    def num_rows(self) -> int:
        """The number of rows in the file."""
        return int(self._group_starts[-1])

    def prefetch(self, start: int, only: Set[int] | None = None) -> None:
        """Start fetching what the rows from ``start`` on, or those of ``only``, need."""
        groups = self._groups(start, only)
        self._file.plan(span for group in groups for span in self._spans(group))

    def rows(self, start: int, only: Set[int] | None = None) -> Iterator[NumberedRow]:
        """The rows from ``start`` on; call :meth:`prefetch` with the same arguments first."""
        for group in self._groups(start, only):
            yield from self._group(
                group, max(self._group_starts[group], start), self._group_starts[group + 1]
            )
            _release_pyarrow_memory()

    def _groups(self, start: int, only: Set[int] | None) -> list[int]:
        bounds = list(zip(self._group_starts, self._group_starts[1:], strict=False))
        remaining = [group for group, (_, end) in enumerate(bounds) if end > start]
        if only is None:
            return remaining
        selected = {bisect_right(self._group_starts, number) - 1 for number in only}
        return [group for group in remaining if group in selected]

    def close(self) -> None:
        self._file.close()

    def _group(self, group: int, start: int, end: int) -> Iterator[NumberedRow]:
        """A row group's rows; after an error row by row, so that as few as possible are lost.

        The reason of a lost row does not depend on where reading starts, as runs resume here.
        """
        next_row = start
        reason = "no more is known"
        for batch_rows in (self._batch_rows(group), 1):
            try:
                for number, values in self._read(group, next_row, batch_rows):
                    yield number, values
                    next_row = number + 1
                _check_complete(next_row, end)
            except (NetworkError, GeneratorExit):  # noqa: PERF203 -- at most twice
                raise
            except Exception as exc:
                reason = reason_of(exc, f"{self._name}, row group {group}")
            else:
                return
        yield from self._around_damage(group, next_row, end, reason)

    def _around_damage(
        self, group: int, next_row: int, end: int, reason: str
    ) -> Iterator[NumberedRow]:
        """The rest of a damaged row group; damaged pages are masked if they can be found."""
        damaged, patches = self._damage(group)
        try:
            for number, values in self._read(group, next_row, 1, patches) if patches else ():
                damage = next((why for rows, why in damaged if number in rows), None)
                yield number, values if damage is None else RowError(damage)
                next_row = number + 1
            if patches:
                _check_complete(next_row, end)
        except (NetworkError, GeneratorExit):
            raise
        except Exception as exc:
            reason = reason_of(exc, f"{self._name}, row group {group}")
        for number in range(next_row, end):
            yield number, RowError(reason)

    def _damage(self, group: int) -> tuple[list[tuple[range, str]], list[Patch]]:
        """The rows of damaged pages with reasons, and the patches that mask those pages."""
        damaged: list[tuple[range, str]] = []
        patches: list[Patch] = []
        names = compressions(self._file, group)
        for chunk, column in self._columns(group):
            compression = names.get(chunk.path_in_schema)
            if column.max_repetition_level or not (column.max_definition_level and compression):
                continue
            for page in damaged_pages(self._file, compression, chunk.num_values, _span(chunk)):
                patch = null_patch(page, compression)
                if patch is None:
                    continue
                first = self._group_starts[group] + page.first_row
                where = f"the page of {chunk.path_in_schema!r} at byte {page.start:,}"
                why = f"{where} {page.problem}"
                rows = range(first, first + page.rows)
                damaged.append((rows, f"{self._name}, row group {group}: {why}"))
                patches.append(patch)
        return damaged, patches

    def _read(
        self, group: int, start: int, batch_rows: int, patches: Sequence[Patch] = ()
    ) -> Iterator[NumberedRow]:
        import pyarrow.parquet as pq

        spans = [(chunk.path_in_schema, _span(chunk)) for chunk in self._chunks(group)]
        checked = CheckedFile(Patched(self._file, patches) if patches else self._file, spans)
        file = pq.ParquetFile(
            checked,
            metadata=self.footer,
            buffer_size=SLICE_BYTES,
            pre_buffer=False,
            page_checksum_verification=True,
        )
        number = self._group_starts[group]
        for batch in file.iter_batches(batch_rows, [group], self._names, use_threads=False):
            checked.allow_more()
            new_rows = batch.slice(max(0, start - number))
            first = number + batch.num_rows - new_rows.num_rows
            number += batch.num_rows
            for at in range(new_rows.num_rows):
                yield first + at, self._row(new_rows, at)

    def _row(self, batch: Any, at: int) -> Values | RowError:
        names = batch.schema.names
        try:
            return {name: value_of(column[at]) for name, column in zip(names, batch, strict=True)}
        except MemoryError:
            raise
        except Exception as exc:  # a value that Python cannot hold costs its row alone
            return RowError(reason_of(exc, self._name))

    def _batch_rows(self, group: int) -> int:
        """Rows that take a few megabytes on average, and not much more if all are the largest."""
        chunks = self._chunks(group)
        rows = max(1, self.footer.row_group(group).num_rows)
        row_bytes = max(1, sum(chunk.total_uncompressed_size for chunk in chunks) // rows)
        largest = largest_value_bytes(self._file, [(chunk, _span(chunk)) for chunk in chunks])
        most = MAX_BATCH_BYTES // largest if largest else BATCH_ROWS
        return int(min(max(1, min(BATCH_BYTES // row_bytes, most)), BATCH_ROWS))

    def _chunks(self, group: int) -> list[Any]:
        return [chunk for chunk, _ in self._columns(group)]

    def _columns(self, group: int) -> list[tuple[Any, Any]]:
        """The needed column chunks of a row group, each with its column in the schema."""
        described = self.footer.row_group(group)
        chunks = [described.column(n) for n in range(described.num_columns)]
        columns = [self.footer.schema.column(n) for n in range(described.num_columns)]
        pairs = zip(chunks, columns, strict=True)
        return [pair for pair in pairs if _is_selected(pair[0].path_in_schema, self._names)]

    def _spans(self, group: int) -> Iterator[Span]:
        spans = _merge_adjacent([_span(chunk) for chunk in self._chunks(group)], self._range_bytes)
        return interleaved_spans(spans, self._range_bytes)


def _check_complete(next_row: int, end: int) -> None:
    if next_row < end:
        raise LimitError(f"it ends before row {end:,}, though its footer counts that many")


def _release_pyarrow_memory() -> None:
    """Return pyarrow's unused memory to the system: a page may have taken hundreds of MB."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()


def _is_selected(path: str, names: Collection[str]) -> bool:
    return any(path == name or path.startswith(f"{name}.") for name in names)


def _span(chunk: Any) -> Span:
    start = chunk.data_page_offset
    if chunk.has_dictionary_page and chunk.dictionary_page_offset:
        start = min(start, chunk.dictionary_page_offset)
    return start, start + chunk.total_compressed_size


def _merge_adjacent(spans: Sequence[Span], max_bytes: int) -> list[Span]:
    """Merge adjacent ranges up to ``max_bytes``: each range costs a round trip."""
    merged: list[Span] = []
    for start, stop in sorted(spans):
        if merged and merged[-1][1] == start and stop - merged[-1][0] <= max_bytes:
            merged[-1] = (merged[-1][0], stop)
        else:
            merged.append((start, stop))
    return merged
