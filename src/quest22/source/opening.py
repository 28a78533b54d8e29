"""Sound behind a network, opened through fsspec as a seekable file. Decodes nothing."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from quest22.errors import ClipError
from quest22.source.address import public
from quest22.source.ahead import AheadFile
from quest22.source.faults import reason_of
from quest22.source.network import Network, NetworkError
from quest22.source.ranges import RangeReader
from quest22.source.seekable import spooled

READ_AHEAD_BYTES = 1 << 20


def opener(address: str, network: Network | None = None) -> Callable[[], BinaryIO]:
    """A function that opens ``address`` as a seekable binary file; it raises ClipError."""
    shared = network or Network()

    def open_address() -> BinaryIO:
        return cast("BinaryIO", _told(lambda: _open(address, shared), address))

    return open_address


def _open(address: str, network: Network) -> BinaryIO:
    if "::" in address:  # a file in an archive goes forward only, whatever it says
        filesystem, path = network.filesystem_of(address)

        def read_whole() -> BinaryIO:
            with filesystem.open(path, "rb") as member:
                return spooled(member, public(address), network.settings.spooled_bytes)

        return network.patiently(read_whole, public(address))
    file = _MediaFile(RangeReader(address, network))
    return cast("BinaryIO", io.BufferedReader(file, READ_AHEAD_BYTES))


class _MediaFile(AheadFile):
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
        raise ClipError("source", reason_of(exc, public(address))) from exc
