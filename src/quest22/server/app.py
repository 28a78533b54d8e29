"""All addresses of the server as one ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse

from quest22.server.openai import models as openai_models
from quest22.server.operations import health
from quest22.server.refusal import Refusal
from quest22.server.service import Service


def build_app(service: Service) -> Starlette:
    """The application; closing it closes the service."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await service.close()

    return Starlette(
        routes=[*health.routes(service), *openai_models.routes(service)],
        exception_handlers={Refusal: _refused},
        lifespan=lifespan,
    )


def _refused(_: Request, refusal: Exception) -> JSONResponse:
    """A refusal that no protocol has put into its own shape."""
    if not isinstance(refusal, Refusal):
        raise refusal
    return JSONResponse({"error": refusal.message}, refusal.status, refusal.headers)
