"""The order of rows: shuffle, then skip and take, then shard. Knows rows by number and size."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from quest22.settings import DatasetSettings
from quest22.source.io.spool import SpooledMedia
from quest22.source.rows import Row
from quest22.source.shards import sharded_by_part


def ordered(
    rows: Iterable[Row], settings: DatasetSettings, parts: int, skipped: int = 0
) -> Iterator[Row]:
    """Shuffle, then skip and take, then shard: the shards together are the unsharded run.

    ``skipped`` of the rows to skip are missing from ``rows`` already.
    """
    stream = iter(rows)
    if settings.shuffle:
        stream = shuffled(stream, settings)
    stream = skip_and_take(stream, settings, skipped)
    if settings.num_shards > 1 and not sharded_by_part(settings, parts):
        stream = islice(stream, settings.shard_index, None, settings.num_shards)
    return stream


def skip_and_take(
    rows: Iterable[Row], settings: DatasetSettings, skipped: int = 0
) -> Iterator[Row]:
    """Skip the rest of the rows to skip, then take."""
    skip = settings.skip - skipped
    return islice(rows, skip, None if settings.take is None else skip + settings.take)


def ordered_after(
    rows: Iterable[Row], settings: DatasetSettings, parts: int, results: int
) -> Iterator[Row]:
    """What :func:`ordered` yields after its first ``results`` rows.

    ``rows`` begins after the last of those. Not for a shuffled run.
    """
    stride = 1 if sharded_by_part(settings, parts) else settings.num_shards
    offset = settings.shard_index if stride > 1 else 0
    consumed = offset + (results - 1) * stride + 1
    remaining = None if settings.take is None else max(0, settings.take - consumed)
    return islice(rows, stride - 1, remaining, stride)


def shuffled(rows: Iterable[Row], settings: DatasetSettings) -> Iterator[Row]:
    """Shuffle through a buffer: once it is full, each row taken in pushes a random one out."""
    rng = random.Random(settings.seed)  # noqa: S311 -- not for secrets
    max_rows, max_bytes = max(1, settings.buffer_size), settings.buffer_bytes
    buffer: list[Row] = []
    buffered_bytes = 0
    for row in rows:
        buffer.append(row)
        buffered_bytes += _approx_bytes(row.values)
        while len(buffer) > max_rows or (buffered_bytes > max_bytes and len(buffer) > 1):
            index = rng.randrange(len(buffer))
            buffer[index], buffer[-1] = buffer[-1], buffer[index]
            drawn = buffer.pop()
            buffered_bytes -= _approx_bytes(drawn.values)
            yield drawn
    rng.shuffle(buffer)
    yield from buffer


def _approx_bytes(value: Any) -> int:
    """Approximate memory of a row's values; audio dominates."""
    if isinstance(value, dict):
        return sum(_approx_bytes(part) for part in value.values())
    if isinstance(value, bytes | str):
        return len(value)
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, SpooledMedia):
        return value.undecoded_bytes
    return 8 * len(value) if isinstance(value, list) else sys.getsizeof(value)
