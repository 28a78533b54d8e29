"""Which rows of a dataset are taken, and in which order. Knows rows by count and size alone."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from quest22.settings import DatasetSettings
from quest22.source.io.spool import Kept
from quest22.source.rows import Row


def sharded_by_part(settings: DatasetSettings, parts: int) -> bool:
    """True if whole data files go to a shard, so that no shard reads what another needs.

    Skipping and taking count the rows of all files, so they rule it out.
    """
    counted = settings.skip or settings.take is not None
    return 1 < settings.num_shards <= parts and not counted


def parts_of_shard(settings: DatasetSettings, parts: int) -> list[int]:
    """The data files that this shard reads, in order; shuffled by the seed if asked for."""
    chosen = list(range(parts))
    if sharded_by_part(settings, parts):
        chosen = chosen[settings.shard_index :: settings.num_shards]
    if settings.shuffle:
        random.Random(settings.seed).shuffle(chosen)  # noqa: S311 -- order, not secrecy
    return chosen


def ordered(
    rows: Iterable[Row], settings: DatasetSettings, parts: int, skipped: int = 0
) -> Iterator[Row]:
    """Shuffle, then skip and take, then shard: so the shards together are the unsharded run.

    ``skipped`` of the rows to skip are left out of ``rows`` already.
    """
    stream = iter(rows)
    if settings.shuffle:
        stream = shuffled(stream, settings)
    stream = window(stream, settings, skipped)
    if settings.num_shards > 1 and not sharded_by_part(settings, parts):
        stream = islice(stream, settings.shard_index, None, settings.num_shards)
    return stream


def window(rows: Iterable[Row], settings: DatasetSettings, skipped: int = 0) -> Iterator[Row]:
    """Skip what is still to be skipped, then take."""
    skip = settings.skip - skipped
    return islice(rows, skip, None if settings.take is None else skip + settings.take)


def ordered_behind(
    rows: Iterable[Row], settings: DatasetSettings, parts: int, results: int
) -> Iterator[Row]:
    """What :func:`ordered` gives behind its first ``results`` rows, from the rows that follow.

    ``rows`` begins behind the last of those. Not for a shuffled run.
    """
    stride = 1 if sharded_by_part(settings, parts) else settings.num_shards
    offset = settings.shard_index if stride > 1 else 0
    passed = offset + (results - 1) * stride + 1
    left = None if settings.take is None else max(0, settings.take - passed)
    return islice(rows, stride - 1, left, stride)


def shuffled(rows: Iterable[Row], settings: DatasetSettings) -> Iterator[Row]:
    """Give out a random row of a full buffer for each row taken in."""
    chance = random.Random(settings.seed)  # noqa: S311 -- order, not secrecy
    most, most_bytes = max(1, settings.buffer_size), settings.buffer_bytes
    buffer: list[Row] = []
    held = 0
    for row in rows:
        buffer.append(row)
        held += _bytes_of(row.values)
        while len(buffer) > most or (held > most_bytes and len(buffer) > 1):
            place = chance.randrange(len(buffer))
            buffer[place], buffer[-1] = buffer[-1], buffer[place]
            given = buffer.pop()
            held -= _bytes_of(given.values)
            yield given
    chance.shuffle(buffer)
    yield from buffer


def _bytes_of(value: Any) -> int:
    """About the memory of a row's values; sound is what counts."""
    if isinstance(value, dict):
        return sum(_bytes_of(part) for part in value.values())
    if isinstance(value, bytes | str):
        return len(value)
    if isinstance(value, Kept):
        return value.undecoded_bytes
    return 8 * len(value) if isinstance(value, list) else sys.getsizeof(value)
