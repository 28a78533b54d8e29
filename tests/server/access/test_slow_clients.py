"""Clients that keep a connection and send nothing, or next to nothing, or never read."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
from starlette.types import Message, Receive, Scope, Send

from quest22.server.access import slow_clients
from quest22.server.access.slow_clients import MinBodyRate, watch_peers
from quest22.server.refusal import Refusal
from tests.support.running_server import RunningServer, running_server

GET = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"


def test_headers_that_come_in_pieces() -> None:
    with (
        running_server() as server,
        socket.create_connection((server.host, server.port), timeout=20) as client,
    ):
        for _ in range(2):
            for part in (GET[:10], GET[10:], b"\r\n"):
                client.sendall(part)
            received = b""
            while not received.endswith(b"}"):
                received += client.recv(65_536)
            assert received.startswith(b"HTTP/1.1 200 OK")


@pytest.fixture(scope="module")
def impatient() -> Iterator[RunningServer]:
    patience, slow_clients.HEADER_TIMEOUT_S = slow_clients.HEADER_TIMEOUT_S, 0.3
    with running_server() as running:
        yield running
    slow_clients.HEADER_TIMEOUT_S = patience


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET /", GET, GET + b"X: 1\r\n", GET + b"\r\n" + b"GET /health HT"],
    ids=["nothing", "line", "headers", "header", "second"],
)
def test_headers_that_never_end(impatient: RunningServer, sent: bytes) -> None:
    with socket.create_connection((impatient.host, impatient.port), timeout=20) as client:
        client.sendall(sent)
        received = b""
        while data := client.recv(65_536):
            received += data
    assert received.count(b"200 OK") == (1 if sent.endswith(b" HT") else 0)


def test_headers_without_end_are_too_large(impatient: RunningServer) -> None:
    with socket.create_connection((impatient.host, impatient.port), timeout=20) as client:
        received = b""
        with suppress(ConnectionError):
            for _ in range(100):
                client.sendall(b"X: " + b"x" * 100_000)
            while data := client.recv(65_536):
                received += data
    assert not received or received.startswith(b"HTTP/1.1 400")


class Body:
    """A body that comes in pieces, each after a time in seconds."""

    def __init__(self, *pieces: tuple[float, int]) -> None:
        self.pieces = list(pieces)

    async def __call__(self) -> Message:
        if not self.pieces:
            return {"type": "http.disconnect"}
        pause_s, size = self.pieces.pop(0)
        await asyncio.sleep(pause_s)
        return {"type": "http.request", "body": b"x" * size, "more_body": bool(self.pieces)}


def taken(body: Body, window_s: float, pause_s: float = 0.0) -> int:
    """How many bytes an application gets that waits between them."""
    got = 0

    async def app(_: Scope, receive: Receive, __: Send) -> None:
        nonlocal got
        while (message := await receive())["type"] == "http.request":
            got += len(message["body"])
            await asyncio.sleep(pause_s)

    async def send(_: Message) -> None:
        raise AssertionError

    asyncio.run(MinBodyRate(app, window_s, min_bytes=100)({"type": "http"}, body, send))
    return got


def test_a_body_that_keeps_coming_is_taken_however_slow_the_application() -> None:
    assert taken(Body((0, 100), (0, 50), (0, 50), (0, 9)), window_s=0.2, pause_s=0.3) == 209


@pytest.mark.parametrize("body", [Body((60, 1)), Body((0.2, 10), (0.2, 10), (0.2, 10), (0, 1))])
def test_a_body_that_stops_or_trickles_is_refused(body: Body) -> None:
    with pytest.raises(Refusal, match="expected 100 or more") as caught:
        taken(body, window_s=0.5)
    assert caught.value.status == 408


def test_the_kernel_watches_peers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        watch_peers(listening)
        with (
            socket.create_connection(listening.getsockname()) as _,
            listening.accept()[0] as accepted,
        ):
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                timeout = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
                assert timeout == slow_clients.USER_TIMEOUT_S * 1000


@pytest.mark.parametrize("header", [b"Content-Length: 5\r\n", b"X: 1\r\n" * 200])
def test_a_websocket_handshake_that_is_none_is_answered(
    impatient: RunningServer, header: bytes
) -> None:
    with socket.create_connection((impatient.host, impatient.port), timeout=20) as client:
        upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        client.sendall(GET + upgrade + header + b"\r\n")
        received = b""
        with suppress(ConnectionError):
            while data := client.recv(65_536):
                received += data
    assert not received or received.startswith(b"HTTP/1.1 4")
