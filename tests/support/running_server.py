"""A server in a thread of this process, at a free port of the loopback interface."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from quest22.server.listening import bind
from quest22.server.serve import GracefulServer, build_service
from quest22.server.service import Service
from quest22.settings import PipelineSettings
from quest22.settings.server import ServerSettings

START_S = 60


@dataclass(frozen=True, slots=True)
class RunningServer:
    """Where it listens, and the service behind it; ``stop`` asks it to end, as a signal does."""

    service: Service
    host: str
    port: int
    stop: Callable[[], None]

    @property
    def url(self) -> str:
        """``http://…``"""
        return f"http://{self.host}:{self.port}"

    @property
    def websocket_url(self) -> str:
        """``ws://…``"""
        return f"ws://{self.host}:{self.port}"


@contextmanager
def running_server(
    served: dict[str, str] | None = None,
    pipeline: PipelineSettings | None = None,
    **settings: Any,
) -> Iterator[RunningServer]:
    """Serve models (name → what is loaded; nano by default) until the block ends."""
    service = build_service(
        ServerSettings(**{"port": 0, "preload": False, **settings}),
        served or {"nano": "nano"},
        pipeline or PipelineSettings(),
    )
    bound = bind(service.settings)
    server = GracefulServer(service)
    started = threading.Event()

    def stop() -> None:
        server.should_exit = True

    async def run() -> None:
        serving = asyncio.ensure_future(server.serve(sockets=[bound]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        started.set()
        await serving

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="server", daemon=True)
    thread.start()
    assert started.wait(START_S)
    host, port = bound.getsockname()[:2]
    try:
        yield RunningServer(service, host, port, stop)
    finally:
        stop()
        thread.join(START_S)
        bound.close()
        assert not thread.is_alive()
