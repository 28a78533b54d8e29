"""Any dataset that ``datasets`` finds, as clips: nothing is downloaded ahead or kept on disk.

Sound is taken undecoded and only the needed columns are read. Knows nothing of decoding.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

from quest22.errors import Quest22Error, SourceError
from quest22.metrics import Metrics
from quest22.records import Clip, Failure, Position, RowLocation
from quest22.settings import DatasetSettings
from quest22.source.columns import Columns, choose_columns
from quest22.source.io.address import redact
from quest22.source.io.error_kinds import source_error
from quest22.source.io.hub_retries import listen
from quest22.source.io.retry import RetryingClient
from quest22.source.locate import DatasetRequest, locate
from quest22.source.measure import measured
from quest22.source.order import ordered, ordered_behind, parts_of_shard
from quest22.source.resume import NamedRow, begun_at, behind, checked, keyed, named
from quest22.source.rows import DatasetContext, Row, RowReader
from quest22.source.shards import EarlierShard, RemainingRows, completed_shards
from quest22.source.split import RowStream, open_stream


@dataclass(frozen=True, slots=True)
class ResumeState:
    """What earlier runs tell one that continues them.

    ``keys`` are all keys that this run has given out so far, in any order: with them rows that
    are done are not read again. ``shards`` are runs of the same rows with other numbers of shards.
    ``done`` are places of certain rows that need no longer be read.
    """

    keys: Iterable[str] | None = None
    shards: tuple[EarlierShard, ...] = ()
    done: Collection[RowLocation] = ()


class DatasetSource:
    """Clips of one split of a dataset, in its order or shuffled.

    Making one finds the dataset, pins its revision and reads its columns; iterating streams the
    rows, from the start each time. A row without sound, or one that cannot be read, comes out as a
    Failure, and so does a data file that cannot be opened. Keys are the id column, else the
    audio's path, else split and row number; a repeated key gets those appended. Both raise
    UsageError and SourceError, the latter also where the network fails longer than the patience
    of ``network`` lasts.
    """

    def __init__(
        self,
        settings: DatasetSettings,
        metrics: Metrics,
        after: Position | None = None,
        places: Mapping[RowLocation, str] | None = None,
        *,
        earlier: ResumeState | None = None,
        network: RetryingClient | None = None,
    ) -> None:
        """``after`` begins behind a row; ``places`` takes certain rows alone, by their keys."""
        self._after = after
        self._places = places
        self._earlier = earlier or ResumeState()
        self._settings = settings
        self._metrics = metrics
        self._name = f"dataset {redact(settings.path)!r}"
        self._network = network or RetryingClient(metrics=metrics)
        listen(metrics)
        found = self._network.patiently(lambda: locate(settings), self._name)
        self._request: DatasetRequest = found
        self._network.token = found.token
        with _translated(self._name):
            self._stream: RowStream = self._network.patiently(
                lambda: open_stream(found, settings.split, self._network),
                f"the files of {self._name}",
            )
            kinds = self._stream.kinds()
            if not kinds:
                raise SourceError(f"{self._name}: split {settings.split!r} has no rows")
            self.columns: Columns = choose_columns(kinds, settings)
            self._stream.project(self.columns)

    @property
    def revision(self) -> str | None:
        """The commit that is read, for a dataset on the Hub."""
        return self._request.revision

    def __iter__(self) -> Iterator[Clip | Failure]:
        return measured(self._results(), self._metrics)

    def _results(self) -> Iterator[Clip | Failure]:
        place = DatasetContext(
            dataset=self._settings.path,
            split=self._settings.split,
            parts=self._stream.parts,
            folder=self._stream.folder,
            revision=self.revision,
            network=self._network,
        )
        reader = RowReader(place, self.columns, self._keys_passed())
        with _translated(self._name):
            for row, key, origin in self._wanted(reader):
                yield reader.read(row, key, origin)

    def _keys_passed(self) -> Iterable[str]:
        """The keys of rows that will not pass by again."""
        jumps = self._after is not None and self._can_jump(self._after)
        told = jumps or self._earlier.shards or self._places is not None
        return (self._earlier.keys or ()) if told else ()

    def _wanted(self, reader: RowReader) -> Iterator[NamedRow]:
        if self._places is not None:
            return self._picked(reader, self._places)
        if self._earlier.shards:
            return self._left(reader)
        if self._after is not None and self._can_jump(self._after):
            return self._jumped(reader, self._after)
        wanted = named(self._from_the_start(), reader)
        if self._after is not None:
            wanted = behind(wanted, self._after, self._name)
        return wanted

    def _from_the_start(self) -> Iterator[Row]:
        """The rows of the run; what is skipped is not read where files tell how much they hold."""
        starts = dict.fromkeys(parts_of_shard(self._settings, self._stream.parts), 0)
        skip = self._settings.skip
        while skip and starts and not self._settings.shuffle:
            part = next(iter(starts))
            count = self._stream.count(part)
            if count is None:
                break
            if count > skip:
                starts[part], skip = skip, 0
                break
            del starts[part]
            skip -= count
        skipped = self._settings.skip - skip
        return ordered(self._stream.rows(starts), self._settings, self._stream.parts, skipped)

    def _can_jump(self, after: Position) -> bool:
        """Whether reading can begin at the row that was reached last."""
        told = self._earlier.keys is not None and not self._settings.shuffle
        return told and after.results > 0 and after.origin.file in self._stream.files

    def _jumped(self, reader: RowReader, after: Position) -> Iterator[NamedRow]:
        parts = parts_of_shard(self._settings, self._stream.parts)
        reached = self._stream.files.index(after.origin.file)
        starts = {part: 0 for part in parts if part >= reached}
        starts[reached] = after.origin.row or 0
        rows = begun_at(self._stream.rows(dict(sorted(starts.items()))), reader, after, self._name)
        following = ordered_behind(rows, self._settings, self._stream.parts, after.results)
        return named(following, reader)

    def _picked(self, reader: RowReader, keys: Mapping[RowLocation, str]) -> Iterator[NamedRow]:
        """Certain rows, in the order of ``keys``, which is that of the run."""
        if self._settings.shuffle:
            return self._one_by_one(reader, keys)
        files, done = self._stream.files, self._earlier.done
        wanted: dict[int, set[int]] = {}
        whole = {files.index(file) for file, row in keys if row is None and file in files}
        for file, row in keys:
            if file in files and row is not None and (file, row) not in done:
                wanted.setdefault(files.index(file), set()).add(row)
        starts = {part: 0 if part in whole else min(wanted[part]) for part in {*wanted, *whole}}
        single = {part: rows for part, rows in wanted.items() if part not in whole}
        rows = self._stream.rows(dict(sorted(starts.items())), single)
        return keyed(rows, reader, keys, self._name, done)

    def _one_by_one(self, reader: RowReader, keys: Mapping[RowLocation, str]) -> Iterator[NamedRow]:
        """The same where the order is by chance: what a file may hold more now changes nothing."""
        files, done = self._stream.files, self._earlier.done
        for (file, row), key in keys.items():
            if file not in files or (file, row) in done:
                continue
            part = files.index(file)
            only = None if row is None else {part: {row}}
            with closing(self._stream.rows({part: row or 0}, only)) as rows:
                yield from keyed(rows, reader, {(file, row): key}, self._name, done)

    def _left(self, reader: RowReader) -> Iterator[NamedRow]:
        """What runs with other numbers of shards, and this one so far, have left to be done."""
        settings, stream, after = self._settings, self._stream, self._after
        shards = list(self._earlier.shards)
        if after is not None:
            shards.append(EarlierShard(settings.num_shards, settings.shard_index, after.origin))
        left = RemainingRows(
            settings, completed_shards(shards, settings, stream.files), stream.parts
        )
        if left.counts_rows:
            left = replace(left, firsts=self._firsts())
        starts = left.starts()
        if after is not None:  # its own last row is looked at again
            starts[stream.files.index(after.origin.file)] = after.origin.row or 0
        rows: Iterator[Row] = stream.rows(dict(sorted(starts.items())))
        if after is not None:
            rows = checked(rows, reader, after, self._name)
        return named(left.rows(rows), reader)

    def _firsts(self) -> list[int] | None:
        """The numbers of each data file's first row, where files tell, as far as rows are taken."""
        take = self._settings.take
        most = math.inf if take is None else self._settings.skip + take
        firsts = [0]
        for part in range(self._stream.parts):
            count = self._stream.count(part) if firsts[-1] < most else 0
            if count is None:
                return None
            firsts.append(firsts[-1] + count)
        return firsts


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """Foreign errors leave as one line that names the dataset."""
    try:
        yield
    except Quest22Error:
        raise
    except Exception as exc:
        raise source_error(exc, name) from exc
