"""Rows of a Parquet file, from any of them on, reading nothing but what they need.

Row groups before the first wanted row are not read, and of the others only the needed columns, in
slices. A damaged page costs its own rows, each of which is told; damage elsewhere in a row group
costs the rows behind it there.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence, Set
from itertools import accumulate
from typing import Any

from quest22.source.formats.parquet_pages import Patch, Patched, damaged_pages, null_patch
from quest22.source.formats.row_error import Numbered, RowError, Values
from quest22.source.io.address import redact
from quest22.source.io.error_kinds import reason_of
from quest22.source.io.prefetch import PrefetchedFile, Prefetcher, Span, coalesced
from quest22.source.io.ranges import RangeReader
from quest22.source.io.retry import NetworkError, RetryingClient

BATCH_BYTES = 8 << 20
BATCH_ROWS = 64
SLICE_BYTES = 256 << 10


class ParquetRows:
    """The rows of one file, opened: its footer is read, its needed columns are being fetched.

    Making one raises whatever opening and pyarrow raise.
    """

    def __init__(
        self,
        address: str,
        names: Collection[str],
        network: RetryingClient,
        ahead: Prefetcher,
        footer: Any = None,
    ) -> None:
        """``footer`` is what was read of this file before."""
        import pyarrow.parquet as pq

        self._name = redact(address)
        self._file = PrefetchedFile(RangeReader(address, network), ahead)
        self._range_bytes = network.settings.range_bytes
        try:
            self.footer = footer or pq.read_metadata(self._file)
        except BaseException:
            self._file.close()
            raise
        present = self.footer.schema.to_arrow_schema().names
        self._names = [name for name in present if name in set(names)]
        self._missing = dict.fromkeys(name for name in names if name not in set(present))
        sizes = [self.footer.row_group(n).num_rows for n in range(self.footer.num_row_groups)]
        self._firsts = list(accumulate(sizes, initial=0))

    @property
    def count(self) -> int:
        """How many rows the file has."""
        return int(self._firsts[-1])

    def fetch(self, start: int, only: Set[int] | None = None) -> None:
        """Begin to fetch what the rows from ``start`` on need; of ``only`` these, if given."""
        groups = self._groups(start, only)
        self._file.plan([span for group in groups for span in self._spans(group)])

    def rows(self, start: int, only: Set[int] | None = None) -> Iterator[Numbered]:
        """The rows from ``start`` on, whole row groups; :meth:`fetch` was asked the same."""
        for group in self._groups(start, only):
            yield from self._group(group, max(self._firsts[group], start), self._firsts[group + 1])
            _give_back()

    def _groups(self, start: int, only: Set[int] | None) -> list[int]:
        bounds = list(zip(self._firsts, self._firsts[1:], strict=False))
        behind = [group for group, (_, end) in enumerate(bounds) if end > start]
        if only is None:
            return behind
        wanted = {bisect_right(self._firsts, number) - 1 for number in only}
        return [group for group in behind if group in wanted]

    def close(self) -> None:
        self._file.close()

    def _group(self, group: int, start: int, end: int) -> Iterator[Numbered]:
        """A row group's rows; around damage row by row, so that as few as possible are lost.

        What is told of a lost row is the same from wherever reading begins: runs continue here.
        """
        done = start
        trouble = "no more is known"
        for batch_rows in (self._batch_rows(group), 1):
            try:
                for number, values in self._read(group, done, batch_rows):
                    yield number, values
                    done = number + 1
            except (NetworkError, GeneratorExit):  # noqa: PERF203 -- twice at most
                raise
            except Exception as exc:
                trouble = reason_of(exc, f"{self._name}, row group {group}")
            else:
                return
        yield from self._around_damage(group, done, end, trouble)

    def _around_damage(self, group: int, done: int, end: int, trouble: str) -> Iterator[Numbered]:
        """The rest of a damaged row group: its rows, but for those of damaged pages if found."""
        damaged, patches = self._damage(group)
        try:
            for number, values in self._read(group, done, 1, patches) if patches else ():
                reason = next((why for rows, why in damaged if number in rows), None)
                yield number, values if reason is None else RowError(reason)
                done = number + 1
        except (NetworkError, GeneratorExit):
            raise
        except Exception as exc:
            trouble = reason_of(exc, f"{self._name}, row group {group}")
        for number in range(done, end):
            yield number, RowError(trouble)

    def _damage(self, group: int) -> tuple[list[tuple[range, str]], list[Patch]]:
        """The rows of damaged pages, why, and what to read in place of those pages."""
        damaged: list[tuple[range, str]] = []
        patches: list[Patch] = []
        for chunk, column in self._columns(group):
            if column.max_repetition_level or not column.max_definition_level:
                continue
            for page in damaged_pages(self._file, chunk, _span(chunk)):
                patch = null_patch(page, chunk.compression)
                if patch is None:
                    continue
                first = self._firsts[group] + page.first_row
                why = f"the page of {chunk.path_in_schema!r} at byte {page.start:,} is damaged"
                rows = range(first, first + page.rows)
                damaged.append((rows, f"{self._name}, row group {group}: {why}"))
                patches.append(patch)
        return damaged, patches

    def _read(
        self, group: int, start: int, batch_rows: int, patches: Sequence[Patch] = ()
    ) -> Iterator[tuple[int, Values]]:
        import pyarrow.parquet as pq

        file = pq.ParquetFile(
            Patched(self._file, patches) if patches else self._file,
            metadata=self.footer,
            buffer_size=SLICE_BYTES,
            pre_buffer=False,
            page_checksum_verification=True,
        )
        number = self._firsts[group]
        for batch in file.iter_batches(batch_rows, [group], self._names, use_threads=False):
            fresh = batch.slice(max(0, start - number))
            first = number + batch.num_rows - fresh.num_rows
            number += batch.num_rows
            for at in range(fresh.num_rows):
                yield first + at, self._missing | fresh.slice(at, 1).to_pylist()[0]

    def _batch_rows(self, group: int) -> int:
        """Rows that make a few megabytes on average."""
        chunks = self._chunks(group)
        rows = max(1, self.footer.row_group(group).num_rows)
        row_bytes = max(1, sum(chunk.total_uncompressed_size for chunk in chunks) // rows)
        return int(min(max(1, BATCH_BYTES // row_bytes), BATCH_ROWS))

    def _chunks(self, group: int) -> list[Any]:
        return [chunk for chunk, _ in self._columns(group)]

    def _columns(self, group: int) -> list[tuple[Any, Any]]:
        """The needed chunks of a row group, each with what the schema tells of it."""
        described = self.footer.row_group(group)
        chunks = [described.column(n) for n in range(described.num_columns)]
        columns = [self.footer.schema.column(n) for n in range(described.num_columns)]
        pairs = zip(chunks, columns, strict=True)
        return [pair for pair in pairs if _belongs(pair[0].path_in_schema, self._names)]

    def _spans(self, group: int) -> list[Span]:
        spans = _joined([_span(chunk) for chunk in self._chunks(group)], self._range_bytes)
        return coalesced(spans, self._range_bytes)


def _give_back() -> None:
    """Return to the system what pyarrow keeps for later: a page may have been hundreds of MB."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()


def _belongs(path: str, names: Collection[str]) -> bool:
    return any(path == name or path.startswith(f"{name}.") for name in names)


def _span(chunk: Any) -> Span:
    start = chunk.data_page_offset
    if chunk.has_dictionary_page and chunk.dictionary_page_offset:
        start = min(start, chunk.dictionary_page_offset)
    return start, start + chunk.total_compressed_size


def _joined(spans: Sequence[Span], longest: int) -> list[Span]:
    """Neighbours made one while they stay below ``longest``: each range costs a round trip."""
    joined: list[Span] = []
    for start, stop in sorted(spans):
        if joined and joined[-1][1] == start and stop - joined[-1][0] <= longest:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined
