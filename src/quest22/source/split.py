"""Streams the rows of one split, data file by data file.

While one file is read, the next one is opened and prefetched within the memory budget. A file that
cannot be opened becomes one row with the reason. Chooses no columns.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Set
from concurrent.futures import Future
from contextlib import AbstractContextManager, closing, nullcontext
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from quest22.source.columns import Columns, Kind
from quest22.source.formats.data_files import DataFile, format_of
from quest22.source.formats.hf_datasets import HfDatasetRows, files_of, open_builder
from quest22.source.io.address import common_folder, is_remote, redact
from quest22.source.io.error_kinds import reason_of
from quest22.source.io.prefetch import Prefetcher
from quest22.source.io.retry import NetworkError, RetryingClient
from quest22.source.locate import DatasetRequest
from quest22.source.rows import Row, RowError, Values

if TYPE_CHECKING:
    from datasets import DatasetBuilder

T = TypeVar("T")

RowSelection: TypeAlias = Mapping[int, Set[int]] | None
"""Row numbers to read, by data file; None, or a file that is not named, means all rows."""


class RowStream:
    """The rows of one split.

    ``parts`` is the number of data files if each row's file is known, else 1.
    """

    def __init__(self, builder: DatasetBuilder, split: str, client: RetryingClient) -> None:
        files = files_of(builder, split)
        self._client = client
        self._base: str | None = builder.base_path or common_folder(files)
        self._format = format_of(builder, files, client)
        self._hf_rows = None if self._format else HfDatasetRows(builder, split)
        self._reader: Any = self._format or self._hf_rows
        if self._hf_rows is not None and self._hf_rows.parts != len(files):
            files = []
        self._files = files
        self.parts = len(files) or 1

    @property
    def folder(self) -> str | None:
        """The folder that audio paths are relative to, for rows of unknown data files."""
        return self._base

    def kinds(self) -> dict[str, Kind]:
        """The kind of each column; empty for a split without rows."""
        kinds: dict[str, Kind] = self._reader.kinds()
        return kinds

    def project(self, columns: Columns) -> None:
        """Read only these columns from now on, if the format allows it."""
        self._reader.project(columns)

    @property
    def files(self) -> list[str | None]:
        """The data files as they appear in origins."""
        return [redact(name) for name in self._files] or [None]

    def num_rows(self, part: int) -> int | None:
        """The number of rows of a data file, if its metadata states it."""
        if self._format is None:
            return None
        try:
            with closing(self._format.open(self._files[part], Prefetcher(0, 0))) as file:
                return file.num_rows
        except NetworkError:
            raise
        except Exception:  # reported as one row when the file is read
            return 1

    def rows(
        self, starts: Mapping[int, int], only: RowSelection = None
    ) -> Generator[Row, None, None]:
        """The rows of some data files, in the order of ``starts``, each from a row number on.

        Rows that are not in ``only`` may be left out.
        """
        if self._hf_rows is not None:
            for part, start in starts.items():
                yield from self._rows_from_datasets(self._hf_rows, part, start)
            return
        settings = self._client.settings
        opening: deque[tuple[int, Future[DataFile]]] = deque()
        with closing(Prefetcher(settings.prefetch_bytes, settings.connections)) as prefetcher:
            try:
                for part in starts:
                    opening.append((part, self._open_ahead(part, starts[part], prefetcher, only)))
                    if len(opening) > 1:
                        yield from self._rows_of_file(*opening.popleft(), starts, only)
                while opening:
                    yield from self._rows_of_file(*opening.popleft(), starts, only)
            finally:
                for _, unused in opening:
                    unused.add_done_callback(_close_unused)

    def _open_ahead(
        self, part: int, start: int, prefetcher: Prefetcher, only: RowSelection
    ) -> Future[DataFile]:
        """Open a file and start prefetching it in a background thread."""

        def open_file() -> DataFile:
            file: DataFile = self._reader.open(self._files[part], prefetcher)
            file.prefetch(start, None if only is None else only.get(part))
            return file

        return run_in_thread(open_file)

    def _rows_of_file(
        self, part: int, opening: Future[DataFile], starts: Mapping[int, int], only: RowSelection
    ) -> Iterator[Row]:
        name = self._files[part]
        try:
            with self._network_wait(name):
                file = opening.result()
        except NetworkError:
            raise
        except Exception as exc:
            yield Row(part, None, {}, name, error=reason_of(exc, redact(name)))
            return
        with closing(file):
            selected = None if only is None else only.get(part)
            for number, values in file.rows(starts[part], selected):
                yield _row(part, number, values, name)

    def _rows_from_datasets(self, hf_rows: HfDatasetRows, part: int, start: int) -> Iterator[Row]:
        file = self._files[part] if self._files else None
        rows = hf_rows.rows(part, start, redact(file or "the dataset"))
        while True:
            with self._network_wait(file or ""):  # datasets reads when the next row is requested
                numbered = next(rows, None)
            if numbered is None:
                return
            yield _row(part, *numbered, file)

    def _network_wait(self, name: str) -> AbstractContextManager[None]:
        return self._client.metrics.network_wait() if is_remote(name) else nullcontext()


def _close_unused(opening: Future[DataFile]) -> None:
    if opening.exception() is None:
        opening.result().close()


def _row(part: int, number: int | None, values: Values | RowError, file: str | None) -> Row:
    if isinstance(values, RowError):
        return Row(part, number, {}, file, error=values.reason)
    return Row(part, number, values, file)


def open_stream(request: DatasetRequest, split: str, client: RetryingClient) -> RowStream:
    """Open a dataset for streaming; raises the errors of ``datasets`` and of the network."""
    return RowStream(open_builder(request, split), split, client)


def run_in_thread(call: Callable[[], T]) -> Future[T]:
    """Run ``call`` in a daemon thread of its own and return its future."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as exc:
            future.set_exception(exc)

    threading.Thread(target=run, name="quest22-open", daemon=True).start()
    return future
