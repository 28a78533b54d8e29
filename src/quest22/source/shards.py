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
from quest22.source.order import sharded_by_part, window
from quest22.source.rows import Row

Spot: TypeAlias = tuple[int, float]
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
class Done:
    """What one earlier shard has done."""

    num_shards: int
    shard_index: int
    by_part: bool
    until: Spot

    def holds(self, spot: Spot, index: int) -> bool:
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


def spot_of(part: int, number: int | None) -> Spot:
    """Where a row stands in the stream."""
    return part, math.inf if number is None else number


def done_by(
    earlier: Iterable[EarlierShard], settings: DatasetSettings, files: Sequence[str | None]
) -> list[Done]:
    """What earlier shards have done of a dataset of these data files, as origins name them.

    Raises UsageError for a shuffled run, whose order depends on the number of shards, and for a
    file that is not among the data files.
    """
    shards = list(earlier)
    if shards and settings.shuffle:
        raise UsageError("a shuffled run cannot be continued with another number of shards")
    return [_done(shard, settings, files) for shard in shards if shard.finished or shard.last]


def _done(shard: EarlierShard, settings: DatasetSettings, files: Sequence[str | None]) -> Done:
    until: Spot = (len(files), 0)
    if not shard.finished and shard.last is not None:
        if shard.last.file not in files:
            raise UsageError(
                f"an earlier run has read {shard.last.file}, which is not among the data files "
                "now: continue with the same dataset and --revision"
            )
        until = spot_of(files.index(shard.last.file), shard.last.row)
    sharded = replace(settings, num_shards=shard.num_shards, shard_index=shard.shard_index)
    by_part = _goes_by_part(sharded, len(files))
    return Done(shard.num_shards, shard.shard_index, by_part, until)


def parts_left(settings: DatasetSettings, parts: int, done: Sequence[Done]) -> dict[int, int]:
    """The data files that this shard has to read, each with the first row to read in it."""
    if not _counts_by_part(settings, parts, done):
        return dict.fromkeys(range(parts), 0)
    mine = range(settings.shard_index, parts, settings.num_shards)
    starts = {part: max((each.starts(part) for each in done), default=0.0) for part in mine}
    return {part: int(start) for part, start in starts.items() if start < math.inf}


def rows_left(
    rows: Iterable[Row], settings: DatasetSettings, parts: int, done: Sequence[Done]
) -> Iterator[Row]:
    """Of the rows of :func:`parts_left`, those that are this shard's and not done yet."""
    by_part = _goes_by_part(settings, parts)
    for index, row in enumerate(window(rows, settings)):
        turn = row.part if by_part else index
        if turn % settings.num_shards != settings.shard_index:
            continue
        if not any(each.holds(spot_of(row.part, row.number), index) for each in done):
            yield row


def _goes_by_part(settings: DatasetSettings, parts: int) -> bool:
    """Whether a shard is a choice of data files; a single one is all of them."""
    return settings.num_shards == 1 or sharded_by_part(settings, parts)


def _counts_by_part(settings: DatasetSettings, parts: int, done: Sequence[Done]) -> bool:
    """Whether rows need not be counted through all data files."""
    counted = settings.skip or settings.take is not None
    alone = _goes_by_part(settings, parts) and not counted
    return alone and all(each.by_part for each in done)
