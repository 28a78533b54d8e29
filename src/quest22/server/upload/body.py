"""The bytes of a request as they come, bounded."""

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
"""So much longer a refused client may go on sending, so that it reads the answer and not a broken
connection."""


class ClientGoneError(Exception):
    """Whoever asked has closed the connection: there is nobody to answer."""


@dataclass(slots=True, eq=False)
class Body:
    """The body of one request; iterate it once."""

    receive: Receive
    stated_bytes: int | None
    max_bytes: int
    ended: bool = False

    @classmethod
    def of(cls, scope: Scope, receive: Receive, max_bytes: int) -> Body:
        """A request's. Raises :class:`Refusal` if it states that it is larger than allowed."""
        stated = Headers(scope=scope).get("content-length", "")
        body = cls(receive, int(stated) if stated.isdecimal() else None, max_bytes)
        if body.stated_bytes is not None:
            body.check(body.stated_bytes)
        return body

    def check(self, size: int) -> None:
        """Raise :class:`Refusal` for more bytes than allowed."""
        if size > self.max_bytes:
            raise Refusal(
                "too_large",
                f"the upload is larger than the {self.max_bytes / 1e6:.4g} MB that are taken "
                "here: send it in parts, or encode it as Opus, MP3 or FLAC",
                parameter="file",
            )

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Its parts, never empty.

        Raises :class:`Refusal` if there are too many bytes, or they stop coming
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
        """Wait behind the end until the client goes; then raise :class:`ClientGoneError`."""
        while True:
            await self._next()

    async def linger(self) -> None:
        """Let the client send on for a while; what comes is dropped."""
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
