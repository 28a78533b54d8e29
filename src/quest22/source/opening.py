"""Sound behind a network, opened through fsspec as a seekable file. Decodes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, BinaryIO, cast

from quest22.errors import ClipError
from quest22.source.address import public
from quest22.source.faults import reason_of
from quest22.source.seekable import RemoteFile, spooled

_CONNECT_S = 30.0
_READ_S = 60.0


def storage_options(token: str | None) -> dict[str, dict[str, Any]]:
    """What fsspec is told for each scheme: patience with the network, and the Hub's token."""
    import aiohttp

    # aiohttp would by default end any answer after five minutes, however well it flows.
    patience = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_READ_S)
    http = {"client_kwargs": {"timeout": patience, "trust_env": True}}
    return {"http": http, "https": http, "hf": {"token": token} if token else {}}


def opener(address: str, token: str | None = None) -> Callable[[], BinaryIO]:
    """A function that opens ``address`` as a seekable binary file; it raises ClipError."""

    def open_address() -> BinaryIO:
        try:
            return _open(address, token)
        except ClipError:
            raise
        except Exception as exc:
            raise ClipError("source", reason_of(exc, public(address))) from exc

    return open_address


def filesystem_of(address: str, token: str | None = None) -> tuple[Any, str]:
    """The fsspec filesystem of an address, and the path in it; errors are the filesystem's own."""
    from fsspec.core import url_to_fs

    schemes = {link.partition("://")[0] for link in address.split("::")}
    options = {name: value for name, value in storage_options(token).items() if name in schemes}
    if "::" not in address:
        options = next(iter(options.values()), {})
    filesystem, path = url_to_fs(address, **options)
    return filesystem, path


def _open(address: str, token: str | None) -> BinaryIO:
    filesystem, path = filesystem_of(address, token)
    if "::" in address:  # a file in an archive goes forward only, whatever it says
        with filesystem.open(path, "rb") as member:
            return spooled(member, public(address))
    return cast("BinaryIO", RemoteFile(filesystem, path, public(address)))
