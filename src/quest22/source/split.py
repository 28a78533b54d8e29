"""Streams the rows of one split, data file by data file.

While one file is read, the next one is opened and prefetched within the memory budget. A file that
cannot be read to its end gets an open end: a last row that stands for all that are missing, and the
other files are read. Chooses no columns.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence, Set
from concurrent.futures import Future
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from glob import has_magic
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from quest22.errors import SourceError
from quest22.source.columns import Columns, Kind
from quest22.source.formats.data_files import DataFile, Format, format_of
from quest22.source.formats.folders import FolderFormat, folder_corpus
from quest22.source.formats.hf_datasets import HfDatasetRows, files_of, keep_files, open_builder
from quest22.source.io.address import (
    common_folder,
    distinct_names,
    is_remote,
    redact,
    without_ip_host,
)
from quest22.source.io.error_kinds import (
    SourceChangedError,
    is_damage,
    is_transient,
    reason_of,
)
from quest22.source.io.prefetch import Prefetcher
from quest22.source.io.ranges import RangeReader
from quest22.source.io.retry import NetworkError, RetryingClient
from quest22.source.locate import DatasetRequest
from quest22.source.patterns import refuse_gaps
from quest22.source.row_blocks import RowBlock, row_blocks
from quest22.source.rows import OpenEnd, Row, RowError, Values
from quest22.source.split_names import USUAL_SPLIT, describe, files_of_split

if TYPE_CHECKING:
    from datasets import DatasetBuilder

T = TypeVar("T")

CHECKED_FILES = 32
"""How many data files on servers are compared when a run goes on, the last ones that it read."""
_log = logging.getLogger("quest22")

RowSelection: TypeAlias = Mapping[int, Set[int]] | None
"""Row numbers to read, by data file; None, or a file that is not named, means all rows."""


@dataclass(frozen=True, slots=True)
class OpenEnds:
    """Which errors end the reading of one data file; the others end the run.

    ``counted``: rows are counted across files, so nothing after a file can be read unless what is
    missing of it will always be missing. ``accepted``: the user has accepted missing rows.
    """

    counted: bool = False
    accepted: bool = False

    def allow(self, error: BaseException, *, server_works: bool) -> bool:
        """Whether a file that stops with this error gets an open end."""
        if self.accepted or is_damage(error):
            return True
        return not self.counted and (server_works or not is_transient(error))


class RowStream:
    """The rows of one split.

    ``parts`` is the number of data files if each row's file is known, else 1.
    """

    def __init__(
        self,
        files: list[str],
        folder: str | None,
        reader: Format | HfDatasetRows,
        client: RetryingClient,
    ) -> None:
        """``folder`` is what audio paths are relative to, for rows of unknown data files."""
        self._client = client
        self._base = folder
        self._format = None if isinstance(reader, HfDatasetRows) else reader
        self._hf_rows = reader if isinstance(reader, HfDatasetRows) else None
        self._reader: Any = reader
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
        return [*distinct_names(self._files)] or [None]

    @property
    def file_names(self) -> dict[str, str]:
        """Data file → its name in origins."""
        return dict(zip(self._files, distinct_names(self._files), strict=True))

    def check_files(self) -> None:
        """Compare the data files that the run has read with what they are now.

        Of those on servers only the last ones, as each costs a request; a commit on the Hub is what
        it was. Raises SourceChangedError.
        """
        known = self._client.known_files.identities
        read = [file for file, name in self.file_names.items() if name in known]
        remote = [file for file in read if is_remote(file)]
        for file in [each for each in read if not is_remote(each)] + remote[-CHECKED_FILES:]:
            if file.startswith("hf://"):
                continue
            try:
                RangeReader(file, self._client, remember=True, patient=False).close()
            except SourceChangedError:
                raise
            except Exception as exc:  # what was read of a file stays, also when it is gone
                _log.debug("%s", reason_of(exc, redact(file)))

    def blocks(self, part: int, columns: Columns) -> list[RowBlock] | None:
        """Where a data file may be divided; None if it is read from its start only."""
        if self._format is None or not self._format.starts_anywhere:
            return None
        with closing(self._format.open(self._files[part], Prefetcher(0, 0))) as file:
            return list(row_blocks(file, columns))

    def num_rows(self, part: int) -> int | None:
        """The number of rows of a data file, if its metadata states it."""
        if self._format is None:
            return None
        try:
            with closing(self._format.open(self._files[part], Prefetcher(0, 0))) as file:
                return file.num_rows
        except NetworkError:
            raise
        except SourceChangedError:
            raise
        except Exception:  # an open end when the file is read
            return 1

    def rows(
        self,
        starts: Mapping[int, int],
        only: RowSelection = None,
        open_ends: OpenEnds | None = None,
    ) -> Generator[Row, None, None]:
        """The rows of some data files, in the order of ``starts``, each from a row number on.

        Rows that are not in ``only`` may be left out. Raises the errors that ``open_ends`` does not
        allow to become open ends.
        """
        open_ends = open_ends or OpenEnds()
        if self._hf_rows is not None:
            for part, start in starts.items():
                rows = self._rows_from_datasets(self._hf_rows, part, start)
                yield from self._to_open_end(part, start, rows, open_ends)
            return
        settings = self._client.settings
        opening: deque[tuple[int, Future[DataFile]]] = deque()
        with closing(Prefetcher(settings.prefetch_bytes, settings.connections)) as prefetcher:

            def rows_of_next() -> Iterator[Row]:
                part, file = opening.popleft()
                rows = self._rows_of_file(part, file, starts[part], only)
                following = opening[0][1] if opening else None
                return self._to_open_end(part, starts[part], rows, open_ends, following)

            try:
                for part in starts:
                    opening.append((part, self._open_ahead(part, starts[part], prefetcher, only)))
                    if len(opening) > 1:
                        yield from rows_of_next()
                while opening:
                    yield from rows_of_next()
            finally:
                for _, unused in opening:
                    unused.add_done_callback(_close_unused)

    def _to_open_end(
        self,
        part: int,
        start: int,
        rows: Iterator[Row],
        open_ends: OpenEnds,
        following: Future[DataFile] | None = None,
    ) -> Iterator[Row]:
        """A file's rows, with an open end where an error stops them.

        ``following`` is the opening of the next file: if it succeeds, the server is not at fault.
        """
        number = start
        try:
            for row in rows:
                yield row
                number = number if row.number is None else row.number + 1
        except SourceChangedError:
            raise
        except Exception as exc:
            server_works = following is not None and following.exception() is None
            if not open_ends.allow(exc, server_works=server_works):
                raise
            name = self._files[part] if self._files else None
            reason = reason_of(exc, redact(name or "the dataset"))
            yield Row(part, number or None, {}, name, reason, open_end=True)

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
        self, part: int, opening: Future[DataFile], start: int, only: RowSelection
    ) -> Iterator[Row]:
        name = self._files[part]
        with self._network_wait(name):
            file = opening.result()
        with closing(file):
            selected = None if only is None else only.get(part)
            for number, values in file.rows(start, selected):
                yield _row(part, number, values, name)

    def _rows_from_datasets(self, hf_rows: HfDatasetRows, part: int, start: int) -> Iterator[Row]:
        file = self._files[part] if self._files else None
        rows = hf_rows.rows(part, start)
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


def _row(part: int, number: int, values: Values | RowError | OpenEnd, file: str | None) -> Row:
    if isinstance(values, OpenEnd):
        return Row(part, number or None, {}, file, values.reason, open_end=True)
    if isinstance(values, RowError):
        return Row(part, number, {}, file, values.reason)
    return Row(part, number, values, file)


def open_stream(request: DatasetRequest, split: str, client: RetryingClient) -> RowStream:
    """Open a dataset for streaming; raises the errors of ``datasets`` and of the network."""
    corpus = folder_corpus(request.path, split) if request.is_folder else None
    if corpus is not None:
        _remember([corpus.address], split, client)
        return RowStream([corpus.address], request.path, FolderFormat(corpus), client)
    builder = open_builder(request, split)
    files = files_of(builder, split)
    if request.builder is not None:
        if not files:
            raise SourceError(f"no files match {describe(request.data_files)}")
        refuse_gaps(request.data_files, files, client)
        files = _of_split(builder, files, request, split)
    _remember(files, split, client)
    reader = format_of(builder, files, client) or HfDatasetRows(builder, split)
    return RowStream(files, builder.base_path or common_folder(files), reader, client)


def _remember(files: Sequence[str], split: str, client: RetryingClient) -> None:
    """Compare the list of files with that of the run before any is opened, or remember it."""
    names = distinct_names(files)
    client.known_files.check_names(names, f"split {split!r}")
    client.known_files.shown = dict(zip(files, names, strict=True))


def _of_split(
    builder: DatasetBuilder, files: list[str], request: DatasetRequest, split: str
) -> list[str]:
    """The files of the split, if the user named patterns or folders, or another split."""
    if split == USUAL_SPLIT and not any(
        has_magic(without_ip_host(file)) for file in request.data_files
    ):
        return files
    chosen = files_of_split(files, split)
    if len(chosen) < len(files):
        others = [file for file in files if file not in set(chosen)]
        _log.warning(
            "%s of other splits than %r: left out; name them with --split or one by one",
            describe(others),
            split,
        )
        keep_files(builder, split, chosen)
    return chosen


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
