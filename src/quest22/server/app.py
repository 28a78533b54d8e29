"""Combines all routes of the server into one ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from quest22.server.access.origin_check import AllowedOrigins, OriginCheck
from quest22.server.access.slow_clients import MinBodyRate
from quest22.server.deepgram import listen as deepgram
from quest22.server.live import socket as live_socket
from quest22.server.openai import audio as openai_audio
from quest22.server.openai import models as openai_models
from quest22.server.openai.realtime import routes as openai_realtime
from quest22.server.operations import health
from quest22.server.operations.host_signals import held_back
from quest22.server.operations.request_log import RequestLog
from quest22.server.page import site
from quest22.server.refusal import Refusal, refusal_response
from quest22.server.service import Service
from quest22.server.wyoming.listener import listener


def build_app(service: Service, *, holds_signals: bool = False) -> ASGIApp:
    """Build the application, which runs the service's background tasks during its lifespan.

    ``holds_signals``: drain before the host handles SIGTERM or Ctrl-C, for hosts that would close
    connections first; see :mod:`quest22.server.operations.host_signals`.

    Raises :class:`quest22.errors.SourceError` if Wyoming's port cannot be bound.
    """
    wyoming = listener(service)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        # Wyoming's clients are served until the service has drained.
        async with wyoming, service.running():
            with held_back(service.drained) if holds_signals else nullcontext():
                yield

    protocols = Starlette(
        routes=[
            *health.routes(service),
            *openai_audio.routes(service),
            *openai_models.routes(service),
            *openai_realtime.routes(service),
            *live_socket.routes(service),
            *site.routes(service),
            *deepgram.routes(service),
            *openai_models.fallback_routes(
                service
            ),  # last, because it matches everything below /v1
        ],
        exception_handlers={Refusal: _refused},
        lifespan=lifespan,
    )
    steady = MinBodyRate(protocols, service.settings.upload_stall_s)
    guarded = OriginCheck(steady, AllowedOrigins.of(service.settings))
    return RequestLog(guarded, service.gate.metrics)


def _refused(_: Request, refusal: Exception) -> JSONResponse:
    """The response to a refusal that no protocol has handled."""
    if not isinstance(refusal, Refusal):
        raise refusal
    return refusal_response(refusal, {"error": refusal.message})
