"""Data files in the formats read here: choosing a dataset's format and opening its files.

Files read from start to end (tar, JSON lines, CSV) are fetched ahead and decompressed here.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import closing, suppress
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TypeAlias

from quest22.source.columns import (
    Columns,
    Kind,
    kinds_of_features,
    kinds_of_values,
    may_hold_audio,
    merge_kinds,
)
from quest22.source.formats.arrow_values import features_of
from quest22.source.formats.decompress import decompressed
from quest22.source.formats.json_list import begins_list, json_list_rows
from quest22.source.formats.jsonl_csv import csv_rows, json_rows
from quest22.source.formats.parquet import ParquetRows
from quest22.source.formats.webdataset import tar_rows
from quest22.source.io.address import is_chain, redact
from quest22.source.io.error_kinds import is_damage, reason_of
from quest22.source.io.prefetch import Prefetcher
from quest22.source.io.ranges import RangeReader
from quest22.source.io.retry import NetworkError, RetryingClient
from quest22.source.io.sequential import SequentialBytes
from quest22.source.rows import NumberedRow, OpenEnd, RowError

if TYPE_CHECKING:
    from datasets import DatasetBuilder

BUFFER_BYTES = 256 << 10
SAMPLED_ROWS = 8
MAX_SAMPLED_ROWS = 256
"""More rows are looked at if the first ones hold no audio."""
_SAMPLED_LINE_BYTES = 1 << 20
_log = logging.getLogger("quest22")

Reader: TypeAlias = Callable[[BinaryIO, str, int], Iterator[NumberedRow]]
"""Reads the rows of an open, named file from a row number on."""


class DataFile(Protocol):
    """One open data file.

    ``prefetch`` starts fetching what ``rows`` with the same arguments reads. Rows that are not in
    ``only`` may be left out.
    """

    @property
    def num_rows(self) -> int | None:
        """The number of rows, if the file states it."""
        ...

    def prefetch(self, start: int, only: Set[int] | None = None) -> None: ...

    def rows(self, start: int, only: Set[int] | None = None) -> Iterator[NumberedRow]: ...

    def close(self) -> None: ...


class Format(Protocol):
    """A format of data files.

    ``starts_anywhere``: reading from a row on does not read the audio of those before it.
    """

    @property
    def starts_anywhere(self) -> bool: ...

    def kinds(self) -> dict[str, Kind]:
        """The kind of each column; raises what reading the first file raises."""
        ...

    def project(self, columns: Columns) -> None:
        """Read only these columns from now on, if the format allows it."""
        ...

    def open(self, address: str, prefetcher: Prefetcher) -> DataFile: ...


class ParquetFormat:
    """Parquet: columns are typed and files state their number of rows."""

    starts_anywhere = True

    def __init__(
        self, builder: DatasetBuilder, files: Sequence[str], client: RetryingClient
    ) -> None:
        self._features: Any = builder.info.features or builder.config.features
        self._files = files
        self._client = client
        self._columns: Columns | None = None
        self._last_footer: tuple[str, Any] = ("", None)  # the first file is opened twice

    def kinds(self) -> dict[str, Kind]:
        self._features = self._features or self._stored_features()
        return kinds_of_features(self._features)

    def project(self, columns: Columns) -> None:
        self._columns = columns

    def open(self, address: str, prefetcher: Prefetcher) -> ParquetRows:
        footer = self._last_footer[1] if self._last_footer[0] == address else None
        file = ParquetRows(address, self._needed, self._client, prefetcher, footer)
        self._last_footer = (address, file.footer)
        return file

    def _needed(self, schema: Any) -> list[str]:
        """The columns to read of a file, whose schema may differ from the first one's."""
        if self._columns is None:
            return []
        kinds = kinds_of_features(features_of(schema))
        adapted = self._columns.adapted(kinds, schema.names)
        return self._columns.needed(schema.names) + adapted.needed(schema.names)

    def _stored_features(self) -> Any:
        """The features of the first readable file."""
        first_error: Exception | None = None
        for address in self._files:
            try:
                with closing(self.open(address, Prefetcher(0, 0))) as file:
                    return features_of(file.footer.schema.to_arrow_schema())
            except NetworkError:  # noqa: PERF203 -- once a file
                raise
            except Exception as exc:
                first_error = first_error or exc
        raise first_error or ValueError("no data files were found")


class SequentialFormat:
    """Files read from start to end."""

    def __init__(
        self,
        reader: Reader,
        files: Sequence[str],
        client: RetryingClient,
        sampler: Reader | None = None,
        *,
        starts_anywhere: bool = True,
    ) -> None:
        """``sampler`` reads the first rows, of which the user need not be told twice."""
        self.starts_anywhere = starts_anywhere
        self._reader = reader
        self._sampler = sampler or reader
        self._files = files
        self._client = client

    def kinds(self) -> dict[str, Kind]:
        """Inferred from the first rows of the first file that has any."""
        first_error: Exception | None = None
        for address in self._files:
            try:
                kinds = self._kinds_in(address)
            except NetworkError:  # noqa: PERF203 -- once a file
                raise
            except Exception as exc:
                first_error = first_error or exc
            else:
                if kinds:
                    return kinds
        if first_error is not None:
            raise first_error
        return {}

    def project(self, columns: Columns) -> None:
        """Does nothing: whole rows are read."""

    def open(self, address: str, prefetcher: Prefetcher) -> DataFile:
        return _SequentialRows(address, self._reader, self._client, prefetcher)

    def _kinds_in(self, address: str) -> dict[str, Kind]:
        kinds: dict[str, Kind] = {}
        opened = _SequentialRows(address, self._sampler, self._client, Prefetcher(0, 0))
        with closing(opened) as file:
            try:
                for count, (_, values) in enumerate(islice(file.rows(0), MAX_SAMPLED_ROWS), 1):
                    if not isinstance(values, RowError | OpenEnd):
                        merge_kinds(kinds, kinds_of_values(values))
                    if count >= SAMPLED_ROWS and may_hold_audio(kinds):
                        break
            except Exception as exc:
                if not kinds or not is_damage(exc):
                    raise
        return kinds


class CsvFormat(SequentialFormat):
    """CSV with a header; the audio, text and id columns stay text."""

    def __init__(self, separator: str | None, files: Sequence[str], client: RetryingClient) -> None:
        def read(file: BinaryIO, name: str, start: int) -> Iterator[NumberedRow]:
            return csv_rows(file, name, separator, self._text_columns, start)

        super().__init__(read, files, client)
        self._text_columns: tuple[str, ...] = ()

    def project(self, columns: Columns) -> None:
        names = (columns.audio, columns.text, columns.id)
        self._text_columns = tuple(name for name in names if name)  # "007" is an id, not a number


class SequentialFile:
    """One data file as a decompressed stream of bytes, read from start to end."""

    def __init__(self, address: str, client: RetryingClient, prefetcher: Prefetcher) -> None:
        reader = RangeReader(address, client, remember=True)
        self._file = SequentialBytes(reader, prefetcher, client.settings.range_bytes)
        self.name = reader.name
        plain = io.BufferedReader(self._file, BUFFER_BYTES)
        self._opened: list[BinaryIO] = [plain]
        self.bytes = decompressed(plain, address.partition("?")[0].lower())
        self._opened.append(self.bytes)

    def prefetch(self) -> None:
        """Start fetching the whole file, in order."""
        self._file.prefetch()

    def close(self) -> None:
        for file in reversed(self._opened):
            with suppress(OSError, EOFError):
                file.close()


class _SequentialRows:
    """The rows of a :class:`SequentialFile`; a :class:`DataFile`."""

    def __init__(
        self, address: str, reader: Reader, client: RetryingClient, prefetcher: Prefetcher
    ) -> None:
        self._file = SequentialFile(address, client, prefetcher)
        self._reader = reader

    @property
    def num_rows(self) -> int | None:
        return None

    def prefetch(self, start: int, only: Set[int] | None = None) -> None:
        self._file.prefetch()  # the bytes before a row must be read as well

    def rows(self, start: int, only: Set[int] | None = None) -> Iterator[NumberedRow]:
        return self._reader(self._file.bytes, self._file.name, start)

    def close(self) -> None:
        self._file.close()


def format_of(  # noqa: PLR0911 -- one for each format
    builder: DatasetBuilder, files: Sequence[str], client: RetryingClient
) -> Format | None:
    """The format that reads this dataset's files here; None if ``datasets`` has to read them."""
    config = builder.config
    if not files or any(map(is_chain, files)):
        return None
    if builder.name == "parquet":
        return None if config.filters is not None else ParquetFormat(builder, files, client)
    if not all(map(_is_supported, files)):
        return None
    if builder.name == "webdataset":
        read = partial(tar_rows, memory_bytes=client.settings.member_bytes)
        return SequentialFormat(
            read, files, client, partial(read, quiet=True), starts_anywhere=False
        )
    if builder.name == "csv" and _has_default_dialect(config):
        return CsvFormat(None if config.sep == "," else config.sep, files, client)
    if builder.name == "json" and config.field is None:
        rows = _json_reader(files, client)
        return None if rows is None else SequentialFormat(rows, files, client)
    return None


def _is_supported(file: str) -> bool:
    name = file.partition("?")[0].lower()
    return not name.endswith((".lz4", ".zip", ".7z"))


def _has_default_dialect(config: Any) -> bool:
    """True for a CSV with default settings, except for its separator."""
    default = type(config)()
    checked = ("names", "header", "skiprows", "quotechar", "quoting", "encoding", "comment",
                "index_col", "usecols", "escapechar", "dialect", "doublequote")  # fmt: skip
    return len(config.sep) == 1 and all(
        getattr(config, name, None) == getattr(default, name, None) for name in checked
    )


def _json_reader(files: Sequence[str], client: RetryingClient) -> Reader | None:
    """The reader of JSON lines or of lists, judged by the first file that can be read.

    None for any other document.
    """
    for file in files:
        try:
            return _json_reader_of(file, client)
        except NetworkError:  # noqa: PERF203 -- once a file
            raise
        except Exception as exc:
            _log.debug("%s", reason_of(exc, redact(file)))
    return json_rows  # which says of each why it cannot be read


def _json_reader_of(file: str, client: RetryingClient) -> Reader | None:
    with closing(SequentialFile(file, client, Prefetcher(0, 0))) as opened:
        lines = [opened.bytes.readline(_SAMPLED_LINE_BYTES) for _ in range(SAMPLED_ROWS)]
    for line in lines:
        with suppress(ValueError, RecursionError):
            if isinstance(json.loads(line), dict):
                return json_rows
    text = b"".join(lines)
    if begins_list(text):
        return json_list_rows
    is_long = any(len(line) == _SAMPLED_LINE_BYTES for line in lines)  # such as sound in base64
    return json_rows if is_long or not text.strip() else None
