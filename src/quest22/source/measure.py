"""What a source costs: seconds waited for the next clip, and bytes of sound handed on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from quest22.metrics import Metrics
from quest22.records import Clip, Failure


def measured(results: Iterable[Clip | Failure], metrics: Metrics) -> Iterator[Clip | Failure]:
    """The same results; the metrics' ``source`` seconds and ``bytes`` grow as they pass."""
    stream = iter(results)
    while True:
        with metrics.time("source"):
            result = next(stream, None)
        if result is None:
            return
        if isinstance(result, Clip):
            metrics.count("bytes", _size(result))
        yield result


def _size(clip: Clip) -> int:
    """Bytes of sound that came with the clip; what lies behind a network is not known yet."""
    if isinstance(clip.media, bytes):
        return len(clip.media)
    return clip.media.stat().st_size if isinstance(clip.media, Path) else 0
