"""Sound behind a network, opened through fsspec as a seekable file. Decodes nothing."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from quest22.errors import ClipError
from quest22.source.io.address import redact
from quest22.source.io.error_kinds import reason_of
from quest22.source.io.prefetch import PrefetchedFile
from quest22.source.io.ranges import RangeReader
from quest22.source.io.retry import NetworkError, RetryingClient
from quest22.source.io.spool import spooled

READ_AHEAD_BYTES = 1 << 20


def media_opener(address: str, network: RetryingClient | None = None) -> Callable[[], BinaryIO]:
    """A function that opens ``address`` as a seekable binary file; it raises ClipError."""
    shared = network or RetryingClient()

    def open_address() -> BinaryIO:
        return cast("BinaryIO", _told(lambda: _open(address, shared), address))

    return open_address


def _open(address: str, network: RetryingClient) -> BinaryIO:
    if "::" in address:  # a file in an archive goes forward only, whatever it says
        filesystem, path = network.filesystem_of(address)

        def read_whole() -> BinaryIO:
            with filesystem.open(path, "rb") as member:
                return spooled(member, redact(address), network.settings.spooled_bytes)

        return network.patiently(read_whole, redact(address))
    file = _MediaFile(RangeReader(address, network))
    return cast("BinaryIO", io.BufferedReader(file, READ_AHEAD_BYTES))


class _MediaFile(PrefetchedFile):
    """A file whose errors are ClipErrors (stage ``source``)."""

    def _piece(self, start: int, stop: int) -> memoryview | bytes:
        piece = super()._piece
        return cast("memoryview | bytes", _told(lambda: piece(start, stop), self.name))


def _told(action: Callable[[], Any], address: str) -> Any:
    """The result of an action, its errors as ClipErrors of one line."""
    try:
        return action()
    except ClipError:
        raise
    except NetworkError as exc:
        raise ClipError("source", str(exc)) from exc
    except Exception as exc:
        raise ClipError("source", reason_of(exc, redact(address))) from exc
