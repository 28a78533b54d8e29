"""Runs the server: binds, serves, and shuts down gracefully."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from types import FrameType

import uvicorn
from prometheus_client import disable_created_metrics
from starlette.types import ASGIApp

from quest22.errors import Quest22Error, UsageError
from quest22.metrics import Metrics
from quest22.runtime.build import Pipeline
from quest22.runtime.loop import LoopSettings
from quest22.server.access.gate import Gate
from quest22.server.access.keys import KeyRing
from quest22.server.access.load import Load
from quest22.server.access.slow_clients import BackpressureWebSocket, HeaderTimeoutHttp
from quest22.server.app import build_app
from quest22.server.listening import address, bind, load_certificate, tls_context
from quest22.server.models import ModelPool
from quest22.server.operations.request_log import UNIX
from quest22.server.service import Service
from quest22.server.upload.temporary_space import TemporarySpace
from quest22.settings import PipelineSettings
from quest22.settings.server import ServerSettings

_log = logging.getLogger("quest22.server")

SHUTDOWN_S = 5
"""How long responses may still be sent after everything else is done."""

KEEP_ALIVE_S = 10
MAX_HEADER_BYTES = 32 << 10
MAX_CONNECTIONS = 4096
MAX_MESSAGE_BYTES = 24 << 20
"""OpenAI's clients may append 15 MiB of audio in one message; base64 adds a third."""

PING_S = 20.0


def build_service(
    settings: ServerSettings, served: dict[str, str], pipeline: PipelineSettings
) -> Service:
    """Create the service; ``served`` maps names to checkpoints. Nothing is loaded yet.

    Raises :class:`quest22.errors.SourceError` if the key file is invalid.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]
    keys = None if settings.keys is None else KeyRing(settings.keys)
    loop = LoopSettings(decoded_s=pipeline.memory.decoded_s, decoders=settings.max_requests)
    engines = Metrics()
    models = ModelPool(served, pipeline, loop, settings.max_models, Pipeline, metrics=engines)
    load = Load(engines, lambda: [model.loop for model in models.loaded])
    gate = Gate(settings, keys, load)
    space = TemporarySpace(
        settings.max_temporary_bytes, lambda: gate.metrics.count_rejected("storage_full")
    )
    gate.metrics.watch(
        engines,
        ("quest22_live_sessions", "Live sessions that are open.", lambda: gate.count("live")),
        ("quest22_recordings", "Recordings being transcribed.", lambda: gate.count("file")),
        (
            "quest22_temporary_bytes",
            "Disk space of the recordings being transcribed.",
            lambda: space.used_bytes,
        ),
        ("quest22_models_loaded", "Models in memory.", lambda: len(models.loaded)),
        (
            "quest22_newcomer_wait_seconds",
            "How long a new recording would wait for its first window, as it is estimated.",
            lambda: load.wait_s(gate.clock()),
        ),
    )
    return Service(settings, models, gate, space)


def serve(service: Service, on_ready: Callable[[str], None]) -> Quest22Error | None:
    """Serve until SIGTERM or Ctrl-C; ``on_ready`` is called with status lines for the user.

    Exits the process with 0 if threads remain that cannot be interrupted: one is loading a model,
    or a second signal came while the engine was working.

    SIGHUP reloads keys and certificate. If the first model cannot be loaded, the server ends, and
    the error is returned; the log has told it.
    """
    settings = service.settings
    bound = bind(settings)
    server = GracefulServer(service)
    failures: list[Quest22Error] = []

    def preloaded(error: Quest22Error | None) -> None:
        if error is None:
            on_ready(f"{service.models.names[0]} is loaded")
        else:
            failures.append(error)
            server.should_exit = True

    service.on_preloaded = preloaded
    on_ready(f"serving at {address(bound, settings)}: Ctrl-C ends")

    async def run() -> None:
        try:
            await server.serve([bound])
        finally:
            if settings.uds is not None:
                settings.uds.unlink(missing_ok=True)
        if not failures and (server.force_exit or service.models.is_loading):
            logging.shutdown()
            sys.stderr.flush()
            os._exit(0)  # the event loop and the interpreter would wait for threads

    asyncio.run(run())
    return failures[0] if failures else None


class GracefulServer(uvicorn.Server):
    """On a signal, finishes admitted requests for at most ``--drain``; a second one stops it now.

    Meanwhile it still listens: ``/ready`` reports the shutdown, and new requests are refused.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._tls = tls_context(service.settings)
        super().__init__(uvicorn_config(build_app(service), service.settings, self._tls))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal shuts down gracefully with exit code 0, the second one at once."""
        del sig, frame
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if hasattr(signal, "SIGHUP") and threading.current_thread() is threading.main_thread():
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.reload)
        await super().startup(sockets)

    def reload(self) -> None:
        """Reload the keys and the certificate, for new connections."""
        if self._service.gate.keys is not None:
            self._service.gate.keys.refresh()
        if self._tls is not None:
            try:
                load_certificate(self._tls, self._service.settings)
            except UsageError as exc:
                _log.error("the certificate stays as it was: %s", exc)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._service.shut_down(stop=lambda: self.force_exit)
        await super().shutdown(sockets)


def _trusted_proxies(settings: ServerSettings) -> list[str] | str:
    """The proxies whose ``X-Forwarded-For`` is trusted; peers of a Unix socket have no address."""
    at_socket = settings.uds is not None and UNIX in settings.forwarded_allow_ips
    return "*" if at_socket else list(settings.forwarded_allow_ips)


def uvicorn_config(
    app: ASGIApp, settings: ServerSettings, tls: ssl.SSLContext | None = None
) -> uvicorn.Config:
    """The configuration of uvicorn."""
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # it logs URLs with queries
    return uvicorn.Config(
        app,
        loop="asyncio",
        http=HeaderTimeoutHttp,
        ws=BackpressureWebSocket,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_ping_interval=PING_S,
        ws_ping_timeout=PING_S,
        ws_per_message_deflate=False,  # audio hardly compresses, and bombs would
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        timeout_keep_alive=KEEP_ALIVE_S,
        limit_concurrency=MAX_CONNECTIONS,
        proxy_headers=bool(settings.forwarded_allow_ips),
        forwarded_allow_ips=_trusted_proxies(settings),
        server_header=False,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=SHUTDOWN_S,
        lifespan="on",
        ssl_context_factory=None if tls is None else lambda *_: tls,
    )
