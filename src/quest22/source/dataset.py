"""Streams any dataset that ``datasets`` finds as clips; nothing is downloaded in advance.

Audio is read as stored bytes, and only the needed columns are read. Decodes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

from quest22.errors import Quest22Error, SourceError
from quest22.metrics import Metrics
from quest22.records import Clip, Failure, Position
from quest22.settings import DatasetSettings
from quest22.source.columns import Columns, choose_columns
from quest22.source.io.address import redact
from quest22.source.io.error_kinds import source_error
from quest22.source.io.hub_retries import count_hub_retries
from quest22.source.io.media import measured
from quest22.source.io.retry import RetryingClient
from quest22.source.local_files import shortened
from quest22.source.locate import DatasetRequest, locate
from quest22.source.order import ordered, ordered_after
from quest22.source.row_blocks import RowBlock
from quest22.source.row_positions import (
    IdentifiedRow,
    Selection,
    check_position,
    continue_after_first,
    identify_rows,
    select_rows,
    skip_to_position,
)
from quest22.source.rows import DatasetContext, Row, RowReader
from quest22.source.shards import (
    EarlierShard,
    RemainingRows,
    completed_shards,
    last_done,
    parts_of_shard,
    sharded_by_part,
)
from quest22.source.split import OpenEnds, RowStream, open_stream


@dataclass(frozen=True, slots=True)
class ResumeState:
    """What a process needs from earlier ones to resume a run.

    ``keys`` are all keys used so far, in any order; with them, completed rows are not read again.
    ``shards`` are runs over the same rows with another number of shards. ``accepts_missing``: files
    that cannot be read to their end never end the run.
    """

    keys: Iterable[str] | None = None
    shards: tuple[EarlierShard, ...] = ()
    accepts_missing: bool = False


class DatasetSource:
    """The clips of one split of a dataset, in its order or shuffled.

    The constructor finds the dataset, pins its revision and chooses its columns; iterating streams
    the rows, from the start each time. A row without audio and a row that cannot be read are
    yielded as Failures; so is the open end of a data file that cannot be read to its end, unless
    rows are counted across files (skip, take, shards by row, shuffling) or the server fails. A key
    is the id column, else the audio's path, else split and row number; repeated keys get the latter
    appended. Both raise UsageError and SourceError, the latter also if the network fails for longer
    than ``client`` retries.
    """

    def __init__(
        self,
        settings: DatasetSettings,
        metrics: Metrics,
        after: Position | None = None,
        selected: Selection | None = None,
        *,
        resume_state: ResumeState | None = None,
        client: RetryingClient | None = None,
    ) -> None:
        """``after``: start after that row; ``selected``: read only these rows."""
        self._after = after
        self._selected = selected
        self._resume_state = resume_state or ResumeState()
        self._settings = settings
        self._metrics = metrics
        self._name = f"dataset {shortened(redact(settings.path))!r}"
        self._client = client or RetryingClient(metrics=metrics)
        count_hub_retries(metrics)
        request = self._client.retry(lambda: locate(settings), self._name)
        self._request: DatasetRequest = request
        self._client.token = request.token
        with _source_errors(self._name):
            self._stream: RowStream = self._client.retry(
                lambda: open_stream(request, settings.split, self._client),
                f"the files of {self._name}",
            )
            kinds = self._stream.kinds()
            if not kinds:
                raise SourceError(f"{self._name}: split {settings.split!r} has no rows")
            self.columns: Columns = choose_columns(kinds, settings)
            self._stream.project(self.columns)
            if after is not None:
                self._stream.check_files()

    @property
    def revision(self) -> str | None:
        """The commit that is read, for a dataset on the Hub."""
        return self._request.revision

    @property
    def files(self) -> list[str | None]:
        """The data files as origins name them; one None if they are not known."""
        return self._stream.files

    def blocks(self, part: int) -> list[RowBlock] | None:
        """Where data file number ``part`` may be divided; None if it cannot be.

        Raises SourceError if it cannot be read.
        """
        name = self._stream.files[part]
        with _source_errors(self._name):
            return self._client.retry(
                lambda: self._stream.blocks(part, self.columns), f"{name} of {self._name}"
            )

    def between(
        self, part: int, start: int, stop: int | None, keys: Mapping[int, str] | None = None
    ) -> Iterator[Clip | Failure]:
        """The clips of some rows of a data file, up to its end if ``stop`` is None.

        With ``keys``, only the rows of these numbers, which had these keys before; SourceError if
        they are others now. Keys are unique among them. The order that the settings ask for does
        not matter.
        Damage in the file becomes an open end; any other error is raised, as another machine may be
        able to read on.
        """
        if keys is None:
            only = None if stop is None else set(range(start, stop))
            return measured(self._between(part, start, stop, only), self._metrics)
        return measured(self._again(part, keys), self._metrics)

    def _again(self, part: int, keys: Mapping[int, str]) -> Iterator[Clip | Failure]:
        """The clips of single rows, with the keys under which they failed."""
        files = self._stream.files
        selection = Selection({(files[part], row): key for row, key in keys.items()})
        reader = RowReader(self._context(), self.columns)
        starts, only = {part: min(keys)}, {part: set(keys)}
        with (
            _source_errors(self._name),
            closing(self._stream.rows(starts, only, OpenEnds(counted=True))) as rows,
        ):
            for row, key, origin in select_rows(rows, reader, selection, self._name):
                yield reader.read(row, key, origin)

    def _between(
        self, part: int, start: int, stop: int | None, numbers: Set[int] | None
    ) -> Iterator[Clip | Failure]:
        reader = RowReader(self._context(), self.columns)
        only = None if numbers is None else {part: numbers}
        with (
            _source_errors(self._name),
            closing(self._stream.rows({part: start}, only, OpenEnds(counted=True))) as rows,
        ):
            for row, key, origin in identify_rows(_before(rows, stop), reader):
                yield reader.read(row, key, origin)

    def __iter__(self) -> Iterator[Clip | Failure]:
        return measured(self._results(), self._metrics)

    def _results(self) -> Iterator[Clip | Failure]:
        reader = RowReader(self._context(), self.columns, self._used_keys())
        with _source_errors(self._name):
            for row, key, origin in self._rows(reader):
                yield reader.read(row, key, origin)

    def _context(self) -> DatasetContext:
        return DatasetContext(
            dataset=self._settings.path,
            split=self._settings.split,
            parts=self._stream.parts,
            folder=self._stream.folder,
            file_names=self._stream.file_names,
            revision=self.revision,
            client=self._client,
        )

    def _used_keys(self) -> Iterable[str]:
        """The keys of rows that were read by earlier processes and are not read again."""
        seeks = self._after is not None and self._can_seek(self._after)
        skips_rows = seeks or self._resume_state.shards or self._selected is not None
        return (self._resume_state.keys or ()) if skips_rows else ()

    def _rows(self, reader: RowReader) -> Iterator[IdentifiedRow]:
        if self._selected is not None:
            return self._selected_rows(reader, self._selected)
        if self._resume_state.shards:
            return self._remaining_rows(reader)
        if self._after is not None and self._can_seek(self._after):
            return self._rows_from_position(reader, self._after)
        rows = identify_rows(self._all_rows(), reader)
        if self._after is not None:
            rows = skip_to_position(rows, self._after, self._name)
        return rows

    def _all_rows(self) -> Iterator[Row]:
        """The rows of the run; files that state their row count are skipped without reading."""
        starts = dict.fromkeys(parts_of_shard(self._settings, self._stream.parts), 0)
        skip = self._settings.skip
        while skip and starts and not self._settings.shuffle:
            part = next(iter(starts))
            num_rows = self._stream.num_rows(part)
            if num_rows is None:
                break
            if num_rows > skip:
                starts[part], skip = skip, 0
                break
            del starts[part]
            skip -= num_rows
        skipped = self._settings.skip - skip
        rows = self._stream.rows(starts, open_ends=self._open_ends)
        return ordered(rows, self._settings, self._stream.parts, skipped)

    @property
    def _counts_rows(self) -> bool:
        """Whether which rows of a file are read depends on how many others have."""
        settings = self._settings
        by_row = settings.num_shards > 1 and not sharded_by_part(settings, self._stream.parts)
        return by_row or settings.skip > 0 or settings.take is not None

    @property
    def _open_ends(self) -> OpenEnds:
        counted = self._counts_rows or self._settings.shuffle
        return OpenEnds(counted, self._resume_state.accepts_missing)

    def _can_seek(self, after: Position) -> bool:
        """Whether reading can start at the last row that was read."""
        ready = self._resume_state.keys is not None and not self._settings.shuffle
        return ready and after.results > 0 and after.origin.file in self._stream.files

    def _rows_from_position(self, reader: RowReader, after: Position) -> Iterator[IdentifiedRow]:
        parts = parts_of_shard(self._settings, self._stream.parts)
        last_part = self._stream.files.index(after.origin.file)
        starts = {part: 0 for part in sorted(parts) if part >= last_part}
        starts[last_part] = after.origin.row or 0
        if after.open_end:
            del starts[last_part]
        rows: Iterator[Row] = self._stream.rows(starts, open_ends=self._open_ends)
        if not after.open_end:
            rows = continue_after_first(rows, reader, after, self._name)
        following = ordered_after(rows, self._settings, self._stream.parts, after.results)
        return identify_rows(following, reader)

    def _selected_rows(self, reader: RowReader, selection: Selection) -> Iterator[IdentifiedRow]:
        """The selected rows, in the order of the run."""
        files = self._stream.files
        for file in selection.missing:
            if file not in files:
                raise SourceError(
                    f"{self._name}: {file}, of which rows are missing, is no longer one of its "
                    "data files: put it back, or start over with --restart"
                )
        parts = selection.in_turn() if self._settings.shuffle else (selection,)
        for part in parts:
            starts, only = part.starts(files), part.only(files)
            with closing(self._stream.rows(starts, only, self._open_ends)) as rows:
                for row in select_rows(rows, reader, part, self._name):
                    self._refuse_uncounted(row[0], selection)
                    yield row

    def _refuse_uncounted(self, row: Row, selection: Selection) -> None:
        """Refuse rows that were missing and are there now, if the rows after them were counted."""
        missing = selection.missing.get(row.file and redact(row.file))
        if missing is None or row.open_end or not self._counts_rows:
            return
        if row.number is not None and row.number >= missing.first:
            raise SourceError(
                f"{self._name}: {redact(row.file or '')} can be read further than when the run "
                "began, but its rows are counted (--skip, --take or --num-shards): start over with "
                "--restart"
            )

    def _remaining_rows(self, reader: RowReader) -> Iterator[IdentifiedRow]:
        """What runs with other numbers of shards, and this one so far, have not completed."""
        settings, stream, after = self._settings, self._stream, self._after
        shards = list(self._resume_state.shards)
        if after is not None:
            shards.append(EarlierShard(settings.num_shards, settings.shard_index, last_done(after)))
        remaining = RemainingRows(
            settings, completed_shards(shards, settings, stream.files), stream.parts
        )
        if remaining.counts_rows:
            remaining = replace(remaining, file_offsets=self._file_offsets())
        starts = remaining.starts()
        if after is not None:  # read its own last row again, to check it
            starts[stream.files.index(after.origin.file)] = after.origin.row or 0
            if after.open_end:
                starts.pop(stream.files.index(after.origin.file))
        rows: Iterator[Row] = stream.rows(dict(sorted(starts.items())), open_ends=self._open_ends)
        if after is not None and not after.open_end:
            rows = check_position(rows, reader, after, self._name)
        return identify_rows(remaining.rows(rows), reader)

    def _file_offsets(self) -> list[int] | None:
        """The stream number of each data file's first row, as far as rows are taken.

        None if a file does not state its number of rows.
        """
        take = self._settings.take
        stop = math.inf if take is None else self._settings.skip + take
        offsets = [0]
        for part in range(self._stream.parts):
            num_rows = self._stream.num_rows(part) if offsets[-1] < stop else 0
            if num_rows is None:
                return None
            offsets.append(offsets[-1] + num_rows)
        return offsets


def _before(rows: Iterable[Row], stop: int | None) -> Iterator[Row]:
    """The rows up to number ``stop``; an open end after it belongs to others."""
    for row in rows:
        if stop is not None and row.number is not None and row.number >= stop:
            return
        yield row


@contextmanager
def _source_errors(name: str) -> Iterator[None]:
    """Turn the errors of libraries into a SourceError of one line that names the dataset."""
    try:
        yield
    except Quest22Error:
        raise
    except Exception as exc:
        raise source_error(exc, name) from exc
