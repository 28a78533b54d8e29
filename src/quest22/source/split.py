"""One split of a dataset as rows with their places, data file by data file. Chooses no columns.

The next data file is opened while one is read, and what it holds is fetched ahead within the
budget. A file that cannot be opened is one row that tells why.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Mapping, Set
from concurrent.futures import Future
from contextlib import AbstractContextManager, closing, nullcontext
from typing import TYPE_CHECKING, Any, TypeAlias

from quest22.source.columns import Columns, Kind
from quest22.source.formats.data_files import DataFile, format_of
from quest22.source.formats.hf_datasets import HfDatasetRows, files_of, open_builder
from quest22.source.formats.row_error import RowError, Values
from quest22.source.io.address import common_folder, is_remote, redact
from quest22.source.io.error_kinds import reason_of
from quest22.source.io.prefetch import Prefetcher
from quest22.source.io.retry import NetworkError, RetryingClient
from quest22.source.io.run_in_thread import run_in_thread
from quest22.source.locate import DatasetRequest
from quest22.source.rows import Row

if TYPE_CHECKING:
    from datasets import DatasetBuilder

Only: TypeAlias = Mapping[int, Set[int]] | None
"""The rows that are wanted of each data file; None, or a file that is not named: all."""


class RowStream:
    """One split of a dataset.

    ``parts`` is the number of data files where rows can be told apart by file, else 1.
    """

    def __init__(self, builder: DatasetBuilder, split: str, network: RetryingClient) -> None:
        files = files_of(builder, split)
        self._network = network
        self._base: str | None = builder.base_path or common_folder(files)
        self._format = format_of(builder, files, network)
        self._foreign = None if self._format else HfDatasetRows(builder, split)
        self._reader: Any = self._format or self._foreign
        if self._foreign is not None and self._foreign.parts != len(files):
            files = []
        self._files = files
        self.parts = len(files) or 1

    @property
    def folder(self) -> str | None:
        """Where relative paths of sound start, if rows do not tell their data file."""
        return self._base

    def kinds(self) -> dict[str, Kind]:
        """The columns and what they hold; nothing for a split without rows."""
        kinds: dict[str, Kind] = self._reader.kinds()
        return kinds

    def project(self, columns: Columns) -> None:
        """Read these columns alone from now on, as far as the format allows."""
        self._reader.project(columns)

    @property
    def files(self) -> list[str | None]:
        """The data files as origins name them."""
        return [redact(name) for name in self._files] or [None]

    def count(self, part: int) -> int | None:
        """How many rows a data file has, where it says so without being read."""
        if self._format is None:
            return None
        try:
            with closing(self._format.open(self._files[part], Prefetcher(0, 0))) as file:
                return file.count
        except NetworkError:
            raise
        except Exception:  # it is told as one row when its turn comes
            return 1

    def rows(self, starts: Mapping[int, int], only: Only = None) -> Generator[Row, None, None]:
        """The rows of some data files, in the order given, each from some row on.

        ``only`` names rows of data files that are wanted: then others may be left out.
        """
        if self._foreign is not None:
            for part, start in starts.items():
                yield from self._foreign_rows(self._foreign, part, start)
            return
        settings = self._network.settings
        coming: deque[tuple[int, Future[DataFile]]] = deque()
        with closing(Prefetcher(settings.ahead_bytes, settings.connections)) as ahead:
            try:
                for part in starts:
                    coming.append((part, self._opening(part, starts[part], ahead, only)))
                    if len(coming) > 1:
                        yield from self._rows_of(*coming.popleft(), starts, only)
                while coming:
                    yield from self._rows_of(*coming.popleft(), starts, only)
            finally:
                for _, unused in coming:
                    unused.add_done_callback(_close_unused)

    def _opening(self, part: int, start: int, ahead: Prefetcher, only: Only) -> Future[DataFile]:
        """Open a file, and begin to fetch it, beside what is done now."""

        def opened() -> DataFile:
            file: DataFile = self._reader.open(self._files[part], ahead)
            file.fetch(start, None if only is None else only.get(part))
            return file

        return run_in_thread(opened)

    def _rows_of(
        self, part: int, coming: Future[DataFile], starts: Mapping[int, int], only: Only
    ) -> Iterator[Row]:
        name = self._files[part]
        try:
            with self._awaited(name):
                file = coming.result()
        except NetworkError:
            raise
        except Exception as exc:
            yield Row(part, None, {}, name, fault=reason_of(exc, redact(name)))
            return
        with closing(file):
            wanted = None if only is None else only.get(part)
            for number, values in file.rows(starts[part], wanted):
                yield _row(part, number, values, name)

    def _foreign_rows(self, foreign: HfDatasetRows, part: int, start: int) -> Iterator[Row]:
        file = self._files[part] if self._files else None
        rows = foreign.rows(part, start, redact(file or "the dataset"))
        while True:
            with self._awaited(file or ""):  # what datasets reads, it reads as it is asked
                numbered = next(rows, None)
            if numbered is None:
                return
            yield _row(part, *numbered, file)

    def _awaited(self, name: str) -> AbstractContextManager[None]:
        return self._network.metrics.network() if is_remote(name) else nullcontext()


def _close_unused(coming: Future[DataFile]) -> None:
    if coming.exception() is None:
        coming.result().close()


def _row(part: int, number: int | None, values: Values | RowError, file: str | None) -> Row:
    if isinstance(values, RowError):
        return Row(part, number, {}, file, fault=values.reason)
    return Row(part, number, values, file)


def open_stream(request: DatasetRequest, split: str, network: RetryingClient) -> RowStream:
    """Open a dataset for streaming; errors of ``datasets`` and of the network pass through."""
    return RowStream(open_builder(request, split), split, network)
