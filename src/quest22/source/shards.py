"""Which rows belong to a shard, and which of them earlier runs have completed.

Shards are whole data files where that is possible, else every n-th row. A run may continue runs of
the same rows that had another number of shards (resharding). Knows rows by data file, by number
within the file, and by number within the stream.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from quest22.errors import UsageError
from quest22.records import Origin, Position
from quest22.settings import DatasetSettings
from quest22.source.rows import Row

RowIndex: TypeAlias = tuple[int, float]
"""A data file and a row in it, in stream order; a file as a whole sorts after its rows."""


def sharded_by_part(settings: DatasetSettings, parts: int) -> bool:
    """True if shards consist of whole data files, so that no two shards read the same file.

    Not possible with skip or take, which count the rows of all files.
    """
    counted = settings.skip or settings.take is not None
    return 1 < settings.num_shards <= parts and not counted


def parts_of_shard(settings: DatasetSettings, parts: int) -> list[int]:
    """The data files that this shard reads, in order; shuffled by the seed if requested."""
    chosen = list(range(parts))
    if sharded_by_part(settings, parts):
        chosen = chosen[settings.shard_index :: settings.num_shards]
    if settings.shuffle:
        random.Random(settings.seed).shuffle(chosen)  # noqa: S311 -- not for secrets
    return chosen


@dataclass(frozen=True, slots=True)
class EarlierShard:
    """One shard of an earlier run, which has read its rows up to and including ``last``.

    If it is ``finished``, all of them; if ``last`` is None, none.
    """

    num_shards: int
    shard_index: int
    last: Origin | None = None
    finished: bool = False


def last_done(position: Position) -> Origin:
    """The last row that a run at this position has done with; of a file's open end, the file."""
    return replace(position.origin, row=None) if position.open_end else position.origin


@dataclass(frozen=True, slots=True)
class CompletedShard:
    """The rows that an earlier shard has completed: its own, up to and including ``until``."""

    num_shards: int
    shard_index: int
    by_file: bool
    until: RowIndex

    def covers(self, index: RowIndex, number: int) -> bool:
        """Whether it completed the row at ``index``, number ``number`` of the stream."""
        slot = index[0] if self.by_file else number
        return index <= self.until and slot % self.num_shards == self.shard_index

    def first_uncovered(self, part: int) -> float:
        """The first row of a data file that may be incomplete; infinity if none is."""
        if not self.by_file or part % self.num_shards != self.shard_index:
            return 0
        file, row = self.until
        return 0 if part > file else math.inf if part < file else row + 1


def row_index(part: int, number: int | None) -> RowIndex:
    """The index of row ``number`` of a data file; without a number, of the whole file."""
    return part, math.inf if number is None else number


def completed_shards(
    earlier: Iterable[EarlierShard], settings: DatasetSettings, files: Sequence[str | None]
) -> list[CompletedShard]:
    """What earlier shards have completed of a dataset with these data files.

    Raises UsageError for a shuffled run, whose order depends on the number of shards, and for a
    file that is not among the data files.
    """
    shards = list(earlier)
    if shards and settings.shuffle:
        raise UsageError("a shuffled run cannot be continued with another number of shards")
    return [_completed(shard, settings, files) for shard in shards if shard.finished or shard.last]


def _completed(
    shard: EarlierShard, settings: DatasetSettings, files: Sequence[str | None]
) -> CompletedShard:
    until: RowIndex = (len(files), 0)
    if not shard.finished and shard.last is not None:
        if shard.last.file not in files:
            raise UsageError(
                f"an earlier run read {shard.last.file}, which is no longer a data file of the "
                "dataset: continue with the same dataset and --revision"
            )
        until = row_index(files.index(shard.last.file), shard.last.row)
    sharded = replace(settings, num_shards=shard.num_shards, shard_index=shard.shard_index)
    by_file = _shards_are_files(sharded, len(files))
    return CompletedShard(shard.num_shards, shard.shard_index, by_file, until)


@dataclass(frozen=True, slots=True)
class RemainingRows:
    """The rows of a shard that earlier shards have not completed, and where to start reading.

    ``file_offsets`` are the stream numbers of each data file's first row, if files state how many
    rows they have. Without them rows are counted from the first row of the stream.
    """

    settings: DatasetSettings
    completed: Sequence[CompletedShard]
    parts: int
    file_offsets: Sequence[int] | None = None

    @property
    def counts_rows(self) -> bool:
        """Whether row numbers within the stream matter; if not, data files decide alone."""
        counted = self.settings.skip or self.settings.take is not None
        by_file = _shards_are_files(self.settings, self.parts) and not counted
        return not (by_file and all(each.by_file for each in self.completed))

    def starts(self) -> dict[int, int]:
        """The data files to read, each with its first remaining row."""
        if not self.counts_rows:
            return self._starts_by_file()
        if self.file_offsets is None:
            return dict.fromkeys(range(self.parts), 0)
        first = {part: self._first_remaining(part, self.file_offsets) for part in range(self.parts)}
        return {part: start for part, start in first.items() if start is not None}

    def rows(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The remaining ones of the rows from :meth:`starts` on."""
        settings = self.settings
        for position, row in enumerate(rows):
            number = position
            if self.file_offsets is not None:
                number = self.file_offsets[row.part] + (row.number or 0)
            if settings.take is not None and number >= settings.skip + settings.take:
                return
            if self._remains(row_index(row.part, row.number), number):
                yield row

    def _remains(self, index: RowIndex, number: int) -> bool:
        settings = self.settings
        taken = number - settings.skip
        if self.counts_rows and taken < 0:
            return False
        slot = index[0] if _shards_are_files(settings, self.parts) else taken
        if slot % settings.num_shards != settings.shard_index:
            return False
        return not any(each.covers(index, taken) for each in self.completed)

    def _starts_by_file(self) -> dict[int, int]:
        own = range(self.settings.shard_index, self.parts, self.settings.num_shards)
        starts = {
            part: max((each.first_uncovered(part) for each in self.completed), default=0)
            for part in own
        }
        return {part: int(start) for part, start in starts.items() if start < math.inf}

    def _first_remaining(self, part: int, offsets: Sequence[int]) -> int | None:
        count = offsets[part + 1] - offsets[part]
        if self.settings.take is not None:
            count = min(count, self.settings.skip + self.settings.take - offsets[part])
        rows = (n for n in range(count) if self._remains(row_index(part, n), offsets[part] + n))
        return next(rows, None)


def _shards_are_files(settings: DatasetSettings, parts: int) -> bool:
    """Whether a shard is a subset of the data files; a single shard is all of them."""
    return settings.num_shards == 1 or sharded_by_part(settings, parts)
