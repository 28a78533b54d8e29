"""Runs the server: binds, serves, and ends politely."""

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
"""For answers that are still being sent when all else is done."""

KEPT_CONNECTION_S = 10
MAX_HEADER_BYTES = 32 << 10
MAX_CONNECTIONS = 4096
MAX_MESSAGE_BYTES = 24 << 20
"""OpenAI's clients may append 15 MiB of sound in one message, which is a third more in base64."""

PING_S = 20.0


def build_service(
    settings: ServerSettings, served: dict[str, str], pipeline: PipelineSettings
) -> Service:
    """A service of these checkpoints, name → what is loaded; nothing is loaded yet.

    Raises :class:`quest22.errors.SourceError` for a file of keys that cannot be used.
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
        ("quest22_recordings", "Recordings in work.", lambda: gate.count("file")),
        (
            "quest22_temporary_bytes",
            "Disk that recordings in work take.",
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


def serve(service: Service, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; ``on_ready`` is told the address, then that it is ready.

    Ends the process, with 0, if threads are left that nobody can interrupt: one loads a model, or
    a second signal came while the engine works.

    SIGHUP reads keys and certificate again. Raises the error of a first model that cannot be
    loaded at once.
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
            os._exit(0)  # the end of the event loop, and of the interpreter, waits for threads

    asyncio.run(run())
    if failures:
        raise failures[0]


class GracefulServer(uvicorn.Server):
    """Serves whoever was let in to the end, for ``--drain`` at most; a second signal ends it now.

    While it waits it still listens: ``/ready`` tells that it is ending, and so does a refusal.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._tls = tls_context(service.settings)
        super().__init__(uvicorn_config(build_app(service), service.settings, self._tls))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal ends politely, and the exit code is 0; the second one ends now."""
        del sig, frame
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if hasattr(signal, "SIGHUP") and threading.current_thread() is threading.main_thread():
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.reload)
        await super().startup(sockets)

    def reload(self) -> None:
        """Take the keys and the certificate as they are now, for new connections."""
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
    """The proxies that may say for whom they speak; at a Unix socket nobody has an address."""
    at_socket = settings.uds is not None and UNIX in settings.forwarded_allow_ips
    return "*" if at_socket else list(settings.forwarded_allow_ips)


def uvicorn_config(
    app: ASGIApp, settings: ServerSettings, tls: ssl.SSLContext | None = None
) -> uvicorn.Config:
    """How uvicorn runs the application."""
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # it tells URLs with queries
    return uvicorn.Config(
        app,
        loop="asyncio",
        http=HeaderTimeoutHttp,
        ws=BackpressureWebSocket,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_ping_interval=PING_S,
        ws_ping_timeout=PING_S,
        ws_per_message_deflate=False,  # sound hardly shrinks, and a bomb does not grow
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        timeout_keep_alive=KEPT_CONNECTION_S,
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
