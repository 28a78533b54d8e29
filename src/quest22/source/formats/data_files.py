"""The kinds of data files that are read here: which one a dataset is, and how a file is opened."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import closing, suppress
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TypeAlias

from quest22.source.columns import Columns, Kind, kinds_of_features, kinds_of_values
from quest22.source.formats.forward import COMPRESSED, ForwardFile
from quest22.source.formats.jsonl_csv import csv_rows, json_rows
from quest22.source.formats.parquet import ParquetRows
from quest22.source.formats.row_error import Numbered, RowError
from quest22.source.formats.webdataset import tar_rows
from quest22.source.io.prefetch import Prefetcher
from quest22.source.io.retry import NetworkError, RetryingClient

if TYPE_CHECKING:
    from datasets import DatasetBuilder

LOOKED_AT_ROWS = 8
_LOOKED_AT_BYTES = 1 << 20

Reader: TypeAlias = Callable[[BinaryIO, str, int], Iterator[Numbered]]
"""Reads the rows of an open file of this name from some row on."""


class DataFile(Protocol):
    """One data file, open.

    ``fetch`` begins to fetch what ``rows`` of the same arguments needs; rows that are not in
    ``only`` may be left out.
    """

    @property
    def count(self) -> int | None:
        """How many rows it has, where it says so."""
        ...

    def fetch(self, start: int, only: Set[int] | None = None) -> None: ...

    def rows(self, start: int, only: Set[int] | None = None) -> Iterator[Numbered]: ...

    def close(self) -> None: ...


class Format(Protocol):
    """A kind of data files."""

    def kinds(self) -> dict[str, Kind]:
        """The columns and what they hold; raises what reading the first file raises."""
        ...

    def project(self, columns: Columns) -> None:
        """Read these columns alone from now on, as far as the format allows."""
        ...

    def open(self, address: str, ahead: Prefetcher) -> DataFile: ...


class ParquetFormat:
    """Parquet: columns have types, files say how many rows they have."""

    def __init__(
        self, builder: DatasetBuilder, files: Sequence[str], network: RetryingClient
    ) -> None:
        self._features: Any = builder.info.features or builder.config.features
        self._files = files
        self._network = network
        self._names: list[str] | None = builder.config.columns
        self._last_footer: tuple[str, Any] = ("", None)  # spares reading the first one twice

    def kinds(self) -> dict[str, Kind]:
        self._features = self._features or self._stored_features()
        return kinds_of_features(self._features)

    def project(self, columns: Columns) -> None:
        self._names = columns.needed(self._features)

    def open(self, address: str, ahead: Prefetcher) -> ParquetRows:
        footer = self._last_footer[1] if self._last_footer[0] == address else None
        file = ParquetRows(address, self._names or (), self._network, ahead, footer)
        self._last_footer = (address, file.footer)
        return file

    def _stored_features(self) -> Any:
        """The features of the first file that can be read."""
        from datasets import Features

        trouble: Exception | None = None
        for address in self._files:
            try:
                with closing(self.open(address, Prefetcher(0, 0))) as file:
                    return Features.from_arrow_schema(file.footer.schema.to_arrow_schema())
            except NetworkError:  # noqa: PERF203 -- once a file
                raise
            except Exception as exc:
                trouble = trouble or exc
        raise trouble or ValueError("no data files were found")


class ForwardFormat:
    """Files that are read from the start to the end, by a reader of rows."""

    def __init__(self, reader: Reader, files: Sequence[str], network: RetryingClient) -> None:
        self._reader = reader
        self._files = files
        self._network = network

    def kinds(self) -> dict[str, Kind]:
        """Judged by the first rows of the first file that has any."""
        trouble: Exception | None = None
        for address in self._files:
            try:
                found = self._kinds_in(address)
            except NetworkError:  # noqa: PERF203 -- once a file
                raise
            except Exception as exc:
                trouble = trouble or exc
            else:
                if found:
                    return found
        if trouble is not None:
            raise trouble
        return {}

    def project(self, columns: Columns) -> None:
        """Whole rows are read: there is nothing to leave out."""

    def open(self, address: str, ahead: Prefetcher) -> DataFile:
        return _ForwardFile(address, self._reader, self._network, ahead)

    def _kinds_in(self, address: str) -> dict[str, Kind]:
        kinds: dict[str, Kind] = {}
        with closing(self.open(address, Prefetcher(0, 0))) as file:
            for _, values in islice(file.rows(0), LOOKED_AT_ROWS):
                if isinstance(values, RowError):
                    continue
                for name, kind in kinds_of_values(values).items():
                    if kinds.get(name, Kind.OTHER) is Kind.OTHER:
                        kinds[name] = kind
        return kinds


class CsvFormat(ForwardFormat):
    """CSV with a header; the columns that are asked for by name stay text."""

    def __init__(self, separator: str, files: Sequence[str], network: RetryingClient) -> None:
        def read(file: BinaryIO, name: str, start: int) -> Iterator[Numbered]:
            return csv_rows(file, name, separator, self._texts, start)

        super().__init__(read, files, network)
        self._texts: tuple[str, ...] = ()

    def project(self, columns: Columns) -> None:
        named = (columns.audio, columns.text, columns.id)
        self._texts = tuple(name for name in named if name)  # "007" is an id, not a number


class _ForwardFile:
    def __init__(
        self, address: str, reader: Reader, network: RetryingClient, ahead: Prefetcher
    ) -> None:
        self._forward = ForwardFile(address, network, ahead)
        self._name = self._forward.name
        self._reader = reader

    @property
    def count(self) -> int | None:
        return None

    def fetch(self, start: int, only: Set[int] | None = None) -> None:
        self._forward.fetch()  # what lies before a row must be read as well

    def rows(self, start: int, only: Set[int] | None = None) -> Iterator[Numbered]:
        return self._reader(self._forward.bytes, self._name, start)

    def close(self) -> None:
        self._forward.close()


def format_of(  # noqa: PLR0911 -- one for each kind
    builder: DatasetBuilder, files: Sequence[str], network: RetryingClient
) -> Format | None:
    """How this dataset's files are read here; None where ``datasets`` has to read them."""
    config = builder.config
    if not files or any("::" in file for file in files):
        return None
    if builder.name == "parquet":
        return None if config.filters is not None else ParquetFormat(builder, files, network)
    if not all(map(_is_understood, files)):
        return None
    if builder.name == "webdataset":
        read = partial(tar_rows, held_bytes=network.settings.member_bytes)
        return ForwardFormat(read, files, network)
    if builder.name == "csv" and _is_usual(config):
        return CsvFormat(config.sep, files, network)
    if builder.name == "json" and config.field is None and _holds_lines(files[0], network):
        return ForwardFormat(json_rows, files, network)
    return None


def _is_understood(file: str) -> bool:
    name = file.partition("?")[0].lower()
    return name.endswith(COMPRESSED) or not name.endswith((".zst", ".lz4", ".zip", ".7z"))


def _is_usual(config: Any) -> bool:
    """True for a CSV with nothing set but its separator."""
    usual = type(config)()
    set_here = ("names", "header", "skiprows", "quotechar", "quoting", "encoding", "comment",
                "index_col", "usecols", "escapechar", "dialect", "doublequote")  # fmt: skip
    return len(config.sep) == 1 and all(
        getattr(config, name, None) == getattr(usual, name, None) for name in set_here
    )


def _holds_lines(file: str, network: RetryingClient) -> bool:
    """True unless the file is one JSON document, such as a list."""
    with closing(ForwardFile(file, network, Prefetcher(0, 0))) as forward:
        for _ in range(LOOKED_AT_ROWS):
            line = forward.bytes.readline(_LOOKED_AT_BYTES)
            with suppress(ValueError):
                if isinstance(json.loads(line), dict):
                    return True
    return False
