"""An address whose connections go to one server, and from some moment on to another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PIECE_BYTES = 1 << 16


class Balancer:
    """Passes bytes on, at ``port`` of the loopback interface; new connections go to ``target``."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0

    async def serve(self, started: threading.Event, ended: asyncio.Event) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await ended.wait()
        server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        await asyncio.gather(_pass(reader, back), _pass(there, writer))


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(PIECE_BYTES):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextmanager
def balancer(target: int) -> Iterator[Balancer]:
    """A balancer in a thread of its own."""
    balancing, started = Balancer(target), threading.Event()
    loop, ended = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(
        target=lambda: loop.run_until_complete(balancing.serve(started, ended)), daemon=True
    )
    thread.start()
    assert started.wait(10)
    try:
        yield balancing
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()
