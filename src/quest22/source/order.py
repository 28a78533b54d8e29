"""Which rows of a dataset are taken, and in which order. Knows rows by count and size alone."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from quest22.settings import DatasetSettings
from quest22.source.rows import Row

SHUFFLE_LIMIT_BYTES = 512 << 20


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


def ordered(rows: Iterable[Row], settings: DatasetSettings, parts: int) -> Iterator[Row]:
    """Shuffle, then skip and take, then shard: so the shards together are the unsharded run."""
    stream = iter(rows)
    if settings.shuffle:
        stream = shuffled(stream, settings.buffer_size, settings.seed)
    stop = None if settings.take is None else settings.skip + settings.take
    stream = islice(stream, settings.skip, stop)
    if settings.num_shards > 1 and not sharded_by_part(settings, parts):
        stream = islice(stream, settings.shard_index, None, settings.num_shards)
    return stream


def shuffled(rows: Iterable[Row], buffer_size: int, seed: int) -> Iterator[Row]:
    """Give out a random row of a buffer for each row taken in.

    The buffer holds ``buffer_size`` rows or 512 MiB of sound, whichever is reached first.
    """
    chance = random.Random(seed)  # noqa: S311 -- order, not secrecy
    buffer: list[Row] = []
    held = 0
    for row in rows:
        buffer.append(row)
        held += _bytes_of(row.values)
        while len(buffer) > max(1, buffer_size) or (held > SHUFFLE_LIMIT_BYTES and len(buffer) > 1):
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
    return 8 * len(value) if isinstance(value, list) else sys.getsizeof(value)
