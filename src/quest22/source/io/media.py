"""Opens remote media as seekable files, and counts what a source delivers. Decodes nothing."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from quest22.errors import ClipError
from quest22.metrics import Metrics
from quest22.records import Clip, Failure
from quest22.source.io.address import is_chain, redact
from quest22.source.io.error_kinds import reason_of
from quest22.source.io.prefetch import PrefetchedFile
from quest22.source.io.ranges import RangeReader
from quest22.source.io.retry import NetworkError, RetryingClient
from quest22.source.io.spool import spooled

READ_AHEAD_BYTES = 1 << 20


def media_opener(address: str, client: RetryingClient | None = None) -> Callable[[], BinaryIO]:
    """A function that opens ``address`` as a seekable binary file; it raises ClipError."""
    shared = client or RetryingClient()

    def open_address() -> BinaryIO:
        return cast("BinaryIO", _with_clip_errors(lambda: _open(address, shared), address))

    return open_address


def _open(address: str, client: RetryingClient) -> BinaryIO:
    if is_chain(address):  # a member of an archive has no random access, whatever it says
        filesystem, path = client.filesystem_of(address)

        def read_whole() -> BinaryIO:
            with filesystem.open(path, "rb") as member:
                return spooled(member, redact(address), client.settings.spooled_bytes)

        return client.retry(read_whole, redact(address))
    file = _MediaFile(RangeReader(address, client))
    return cast("BinaryIO", io.BufferedReader(file, READ_AHEAD_BYTES))


class _MediaFile(PrefetchedFile):
    """A file whose errors are ClipErrors (stage ``source``)."""

    def _piece(self, start: int, stop: int) -> memoryview | bytes:
        piece = super()._piece
        return cast("memoryview | bytes", _with_clip_errors(lambda: piece(start, stop), self.name))


def _with_clip_errors(action: Callable[[], Any], address: str) -> Any:
    """The result of an action; its errors become ClipErrors of one line."""
    try:
        return action()
    except ClipError:
        raise
    except NetworkError as exc:
        raise ClipError("source", str(exc)) from exc
    except Exception as exc:
        raise ClipError("source", reason_of(exc, redact(address))) from exc


def measured(results: Iterable[Clip | Failure], metrics: Metrics) -> Iterator[Clip | Failure]:
    """The same results; counts the seconds spent waiting for each and the bytes of its media."""
    stream = iter(results)
    while True:
        with metrics.time("source"):
            result = next(stream, None)
        if result is None:
            return
        if isinstance(result, Clip):
            metrics.count("bytes", _known_bytes(result))
        yield result


def _known_bytes(clip: Clip) -> int:
    """The size of media at hand; remote media are counted while they are read."""
    if isinstance(clip.media, bytes):
        return len(clip.media)
    try:
        return clip.media.stat().st_size if isinstance(clip.media, Path) else 0
    except OSError:  # it is gone already, which decoding will tell
        return 0
