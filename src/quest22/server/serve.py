"""Runs the server: binds, serves, and ends politely."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette

from quest22.errors import SourceError
from quest22.runtime.build import Pipeline
from quest22.runtime.loop import LoopSettings
from quest22.server.access.gate import Gate
from quest22.server.app import build_app
from quest22.server.models import ModelPool
from quest22.server.service import Service
from quest22.settings import PipelineSettings
from quest22.settings.server import ServerSettings

SHUTDOWN_S = 30


def build_service(
    settings: ServerSettings, served: dict[str, str], pipeline: PipelineSettings
) -> Service:
    """A service of these checkpoints, name → what is loaded; nothing is loaded yet."""
    loop = LoopSettings(decoded_s=pipeline.memory.decoded_s, decoders=settings.max_requests)
    models = ModelPool(served, pipeline, loop, settings.max_models, Pipeline)
    return Service(settings, models, Gate(settings))


def serve(service: Service, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; ``on_ready`` is told the address."""
    bound = bind(service.settings.host, service.settings.port)
    server = uvicorn.Server(configured(build_app(service), service))
    host, port = bound.getsockname()[:2]
    on_ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    server.run(sockets=[bound])


def configured(app: Starlette, service: Service) -> uvicorn.Config:
    """How uvicorn runs the application."""
    del service
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        ws="websockets-sansio",
        timeout_graceful_shutdown=SHUTDOWN_S,
        lifespan="on",
    )


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; raises :class:`SourceError` if the address is not free."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as exc:
        raise SourceError(
            f"cannot listen at {host}:{port}: {exc.strerror or exc}; choose another --port, or an "
            "address of this machine"
        ) from exc
