"""Defends against clients that hold a connection without sending or reading.

=========================================  =============================================
headers that never end                     :class:`HeaderTimeoutHttp`
an idle connection                         uvicorn's ``timeout_keep_alive``
a body that stalls or trickles             :class:`MinBodyRate`
a peer that vanished or never reads        the kernel: :func:`watch_peers`
a websocket whose peer vanished            uvicorn's pings, and :class:`BackpressureWebSocket`
=========================================  =============================================

A client that sends faster than the server processes has to wait, because the socket is not read
meanwhile. That time does not count against it.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

import h11
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from quest22.server.refusal import Refusal

HEADER_TIMEOUT_S = 20.0
"""From the start of a connection, or of a request, to the end of its headers."""

BODY_WINDOW_S = 60.0
MIN_BODY_BYTES = 4096
"""A body must send this much per window: one eighth of the lowest bit rate of Opus speech."""

USER_TIMEOUT_S = 120
"""A peer that acknowledges nothing, or keeps its receive window closed, is dropped after this."""

KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}


class HeaderTimeoutHttp(H11Protocol):
    """uvicorn's HTTP protocol with a timeout for headers."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            if self.transport.get_protocol() is self:
                self._expect_headers()
        else:
            self._have_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._have_headers()
        super().connection_lost(exc)

    def _expect_headers(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(HEADER_TIMEOUT_S, self.transport.close)

    def _have_headers(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


class BackpressureWebSocket(WebSocketsSansIOProtocol):
    """uvicorn's websockets: clients held back may answer pings late; ones that never read are cut.

    Invalid handshakes are answered; uvicorn leaves them waiting.
    """

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.transport.is_closing():
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def keepalive_timeout(self) -> None:
        if self.read_paused and self.ping_timeout is not None:  # the pong may be in the unread data
            self.pong_timer = self.loop.call_later(self.ping_timeout, self.keepalive_timeout)
            return
        super().keepalive_timeout()
        if not self.writable.is_set():  # a normal close would wait until all is sent
            self.transport.abort()

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and self.close_sent:
            self.handshake_complete = True  # refused, which is not an error of the application


class MinBodyRate:
    """ASGI middleware that enforces a minimum rate for request bodies.

    If a body is too slow, ``receive`` raises :class:`Refusal`, which the protocol converts to its
    own format. Only the time spent waiting for data counts.
    """

    def __init__(
        self,
        app: ASGIApp,
        window_s: float = BODY_WINDOW_S,
        min_bytes: int = MIN_BODY_BYTES,
    ) -> None:
        self._app = app
        self._window_s = window_s
        self._least_bytes = min_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            receive = _RatedBody(receive, self._window_s, self._least_bytes).receive
        await self._app(scope, receive, send)


class _RatedBody:
    def __init__(self, receive: Receive, window_s: float, min_bytes: int) -> None:
        self._receive = receive
        self._window_s = window_s
        self._least_bytes = min_bytes
        self._waited_s = 0.0
        self._bytes = 0
        self._ended = False

    async def receive(self) -> Message:
        if self._ended:  # now the caller waits for the client to disconnect
            return await self._receive()
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(self._window_s - self._waited_s):
                message = await self._receive()
        except TimeoutError:
            self._ended = True
            raise Refusal(
                "stalled",
                f"{self._bytes} bytes of the request came in {self._window_s:g} s: expected "
                f"{self._least_bytes} or more",
            ) from None
        self._waited_s += clock() - began
        self._bytes += len(message.get("body", b""))
        if self._bytes >= self._least_bytes:
            self._waited_s, self._bytes = 0.0, 0
        self._ended = not message.get("more_body", False)
        return message


def watch_peers(listening: socket.socket) -> None:
    """Make the kernel drop peers that have vanished or never read, if it can.

    Connections inherit this from the listening socket.
    """
    if listening.family not in (socket.AF_INET, socket.AF_INET6):
        return
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in {**KEEPALIVE, "TCP_USER_TIMEOUT": USER_TIMEOUT_S * 1000}.items():
        number = getattr(socket, name, None)
        if number is not None:
            with suppress(OSError):
                listening.setsockopt(socket.IPPROTO_TCP, number, value)
