"""The body of a request as a stream of limited size."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Receive, Scope

from quest22.server.refusal import Refusal

LINGER_S = 10.0
LINGER_BYTES = 64 << 20
"""How much more a refused client may send, so that it reads the response and does not see a broken
connection."""


class ClientGoneError(Exception):
    """The client has closed the connection; there is nobody to answer."""


@dataclass(slots=True, eq=False)
class Body:
    """The body of one request; iterate over it once."""

    receive: Receive
    stated_bytes: int | None
    max_bytes: int
    ended: bool = False

    @classmethod
    def of(cls, scope: Scope, receive: Receive, max_bytes: int) -> Body:
        """A request's body. Raises :class:`Refusal` if its ``Content-Length`` is too large."""
        stated = Headers(scope=scope).get("content-length", "")
        body = cls(receive, int(stated) if stated.isdecimal() else None, max_bytes)
        if body.stated_bytes is not None:
            body.check(body.stated_bytes)
        return body

    def check(self, size: int) -> None:
        """Raise :class:`Refusal` if ``size`` is too large."""
        if size > self.max_bytes:
            raise Refusal(
                "too_large",
                f"the upload is larger than {self.max_bytes / 1e6:.4g} MB: split it, or encode it "
                "as Opus, MP3 or FLAC",
                parameter="file",
            )

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The chunks of the body, never empty.

        Raises :class:`Refusal` if the body is too large or stalls
        (:mod:`quest22.server.access.slow_clients`), and :class:`ClientGoneError`.
        """
        size = 0
        while not self.ended:
            data = await self._next()
            size += len(data)
            self.check(size)
            if data:
                yield data

    async def gone(self) -> None:
        """After the end, wait for the client to disconnect; raises :class:`ClientGoneError`."""
        while True:
            await self._next()

    async def linger(self) -> None:
        """Receive and discard data for a while."""
        deadline, left = time.monotonic() + LINGER_S, LINGER_BYTES
        try:
            while not self.ended and left > 0:
                left -= len(await asyncio.wait_for(self._next(), deadline - time.monotonic()))
        except (ClientGoneError, Refusal, TimeoutError):
            return

    async def _next(self) -> bytes:
        message = await self.receive()
        if message["type"] != "http.request":
            self.ended = True
            raise ClientGoneError
        self.ended = not message.get("more_body", False)
        return bytes(message.get("body", b""))
