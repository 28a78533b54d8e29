"""Listens for Wyoming's clients, beside the web server and as long as it."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field

from quest22.errors import Quest22Error
from quest22.server.access.gate import Caller
from quest22.server.access.limits import CallerLimits
from quest22.server.listening import bind_address
from quest22.server.operations.request_context import RequestContext, set_request
from quest22.server.service import Service
from quest22.server.wyoming.client import WyomingClient
from quest22.server.wyoming.wire import MAX_LINE_BYTES

API = "wyoming"
"""Its name in metrics."""

MAX_CLIENTS = 64
"""Connections at once; more are closed. Most of them ask what there is, and go."""

_log = logging.getLogger("quest22.server")


def listener(service: Service) -> AbstractAsyncContextManager[object]:
    """Listens in its block, if the server is to speak Wyoming; the port is taken at once.

    Raises :class:`quest22.errors.SourceError` if it cannot be.
    """
    settings = service.settings
    if settings.wyoming_port is None:
        return nullcontext()
    bound = bind_address(settings.wyoming_host, settings.wyoming_port, "--wyoming-port")
    return WyomingListener(service, bound).running()


@dataclass(slots=True, eq=False)
class WyomingListener:
    """Serves whoever connects to a socket."""

    service: Service
    bound: socket.socket
    _clients: set[asyncio.Task[None]] = field(default_factory=set)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen until the block ends; then clients are closed."""
        server = await asyncio.start_server(self._connected, sock=self.bound, limit=MAX_LINE_BYTES)
        try:
            yield
        finally:
            server.close()
            for task in list(self._clients):
                task.cancel()
            await asyncio.gather(*self._clients, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._clients) >= MAX_CLIENTS:
            writer.close()
            return
        self._clients.add(task)
        try:
            await self._serve(reader, writer)
        finally:
            self._clients.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        set_request(RequestContext(api=API))
        caller = Caller(str(peer[0]) if peer else API, CallerLimits.of(self.service.settings))
        client = WyomingClient(self.service, caller, reader, writer)
        try:
            async with self.service.session_registered(client.drain):
                await client.run()
        except Quest22Error:
            _log.exception("a client of Wyoming's could not be served")
