"""Listens for Wyoming clients while the web server runs."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field

from quest22.server.access.gate import Caller
from quest22.server.access.limits import CallerLimits
from quest22.server.listening import bind_address
from quest22.server.operations.request_context import RequestContext, set_request
from quest22.server.operations.request_log import log_request, new_request_id
from quest22.server.refusal import Refusal
from quest22.server.service import Service
from quest22.server.wyoming.client import WyomingClient
from quest22.server.wyoming.wire import MAX_LINE_BYTES

API = "wyoming"
"""Its name in metrics and in the log."""

MAX_CLIENTS = 64
"""Limit of simultaneous connections; most only send ``describe``."""


def listener(service: Service) -> AbstractAsyncContextManager[object]:
    """Bind Wyoming's port at once, if it is set, and listen while the block runs.

    Raises :class:`quest22.errors.SourceError` if the port cannot be bound.
    """
    settings = service.settings
    if settings.wyoming_port is None:
        return nullcontext()
    bound = bind_address(settings.wyoming_host, settings.wyoming_port, "--wyoming-port")
    return WyomingListener(service, bound).running()


@dataclass(slots=True, eq=False)
class WyomingListener:
    """Serves the clients of a listening socket."""

    service: Service
    bound: socket.socket
    _clients: set[asyncio.Task[None]] = field(default_factory=set)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen until the block ends, then close all connections."""
        server = await asyncio.start_server(self._connected, sock=self.bound, limit=MAX_LINE_BYTES)
        try:
            yield
        finally:
            server.close()
            for task in list(self._clients):
                task.cancel()
            await asyncio.gather(*self._clients, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        address = str(peer[0]) if peer else API
        context = RequestContext(new_request_id(), API, "TCP", API, address, status=200)
        set_request(context)
        caller = Caller(address, CallerLimits.of(self.service.settings))
        client = WyomingClient(self.service, caller, reader, writer)
        try:
            await self._serve(client)
        finally:
            if client.has_asked or context.status != 200:  # otherwise it was only a port check
                log_request(context, self.service.gate.metrics)

    async def _serve(self, client: WyomingClient) -> None:
        task = asyncio.current_task()
        if task is None or len(self._clients) >= MAX_CLIENTS:
            self.service.gate.metrics.count_rejected("overloaded")
            await client.refuse(
                Refusal("overloaded", f"{MAX_CLIENTS} clients are connected already")
            )
            return
        self._clients.add(task)
        try:
            async with self.service.session_registered(client.drain):
                await client.run()
        finally:
            self._clients.discard(task)
