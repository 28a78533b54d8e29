"""Which rows belong to which shard, and which of them earlier runs have done already.

Knows rows by the number of their data file, their number in it, and their place in the stream.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from quest22.errors import UsageError
from quest22.records import Origin
from quest22.settings import DatasetSettings
from quest22.source.order import sharded_by_part
from quest22.source.rows import Row

RowIndex: TypeAlias = tuple[int, float]
"""A data file and a row in it, in the order of the stream; a whole file stands behind its rows."""


@dataclass(frozen=True, slots=True)
class EarlierShard:
    """A run of the same rows that went before: one of so many shards, up to and with ``last``.

    A run that was ``finished`` has done all of its shard; one without ``last`` nothing.
    """

    num_shards: int
    shard_index: int
    last: Origin | None = None
    finished: bool = False


@dataclass(frozen=True, slots=True)
class CompletedShard:
    """What one earlier shard has done."""

    num_shards: int
    shard_index: int
    by_part: bool
    until: RowIndex

    def holds(self, spot: RowIndex, index: int) -> bool:
        """Whether it did the row at ``spot``, which is number ``index`` of the stream."""
        turn = spot[0] if self.by_part else index
        return spot <= self.until and turn % self.num_shards == self.shard_index

    def starts(self, part: int) -> float:
        """The first row of a data file that it may have left; infinity for none."""
        if not self.by_part or part % self.num_shards != self.shard_index:
            return 0
        return (
            0 if part > self.until[0] else math.inf if part < self.until[0] else self.until[1] + 1
        )


def row_index(part: int, number: int | None) -> RowIndex:
    """Where a row stands in the stream."""
    return part, math.inf if number is None else number


def completed_shards(
    earlier: Iterable[EarlierShard], settings: DatasetSettings, files: Sequence[str | None]
) -> list[CompletedShard]:
    """What earlier shards have done of a dataset of these data files, as origins name them.

    Raises UsageError for a shuffled run, whose order depends on the number of shards, and for a
    file that is not among the data files.
    """
    shards = list(earlier)
    if shards and settings.shuffle:
        raise UsageError("a shuffled run cannot be continued with another number of shards")
    return [_done(shard, settings, files) for shard in shards if shard.finished or shard.last]


def _done(
    shard: EarlierShard, settings: DatasetSettings, files: Sequence[str | None]
) -> CompletedShard:
    until: RowIndex = (len(files), 0)
    if not shard.finished and shard.last is not None:
        if shard.last.file not in files:
            raise UsageError(
                f"an earlier run has read {shard.last.file}, which is not among the data files "
                "now: continue with the same dataset and --revision"
            )
        until = row_index(files.index(shard.last.file), shard.last.row)
    sharded = replace(settings, num_shards=shard.num_shards, shard_index=shard.shard_index)
    by_part = _goes_by_part(sharded, len(files))
    return CompletedShard(shard.num_shards, shard.shard_index, by_part, until)


@dataclass(frozen=True, slots=True)
class RemainingRows:
    """What a shard has left to do of a stream, and where reading begins.

    ``firsts`` are the numbers in the stream of each data file's first row, where files tell how
    many rows they have; without them rows are counted as they come, from the very first.
    """

    settings: DatasetSettings
    done: Sequence[CompletedShard]
    parts: int
    firsts: Sequence[int] | None = None

    @property
    def counts_rows(self) -> bool:
        """Whether the numbers of rows in the stream matter: else data files tell all."""
        counted = self.settings.skip or self.settings.take is not None
        alone = _goes_by_part(self.settings, self.parts) and not counted
        return not (alone and all(each.by_part for each in self.done))

    def starts(self) -> dict[int, int]:
        """The data files to read, each with its first row that is left."""
        if not self.counts_rows:
            return self._starts_by_part()
        if self.firsts is None:
            return dict.fromkeys(range(self.parts), 0)
        found = {part: self._first_left(part, self.firsts) for part in range(self.parts)}
        return {part: start for part, start in found.items() if start is not None}

    def rows(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Of the rows from :meth:`starts` on, those that are left."""
        for place, row in enumerate(rows):
            index = place
            if self.firsts is not None:
                index = self.firsts[row.part] + (row.number or 0)
            if self.settings.take is not None and index >= self.settings.skip + self.settings.take:
                return
            if self._is_left(row_index(row.part, row.number), index):
                yield row

    def _is_left(self, spot: RowIndex, index: int) -> bool:
        settings = self.settings
        number = index - settings.skip
        if self.counts_rows and number < 0:
            return False
        turn = spot[0] if _goes_by_part(settings, self.parts) else number
        if turn % settings.num_shards != settings.shard_index:
            return False
        return not any(each.holds(spot, number) for each in self.done)

    def _starts_by_part(self) -> dict[int, int]:
        mine = range(self.settings.shard_index, self.parts, self.settings.num_shards)
        starts = {part: max((each.starts(part) for each in self.done), default=0) for part in mine}
        return {part: int(start) for part, start in starts.items() if start < math.inf}

    def _first_left(self, part: int, firsts: Sequence[int]) -> int | None:
        count = firsts[part + 1] - firsts[part]
        if self.settings.take is not None:
            count = min(count, self.settings.skip + self.settings.take - firsts[part])
        left = (n for n in range(count) if self._is_left(row_index(part, n), firsts[part] + n))
        return next(left, None)


def _goes_by_part(settings: DatasetSettings, parts: int) -> bool:
    """Whether a shard is a choice of data files; a single one is all of them."""
    return settings.num_shards == 1 or sharded_by_part(settings, parts)
