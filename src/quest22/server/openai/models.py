"""``/v1/models``: what is served, and the names that stand for it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from quest22.server.models import ALIASES
from quest22.server.service import Service


def routes(service: Service) -> list[BaseRoute]:
    """The list, and each model by name."""

    async def every(_: Request) -> JSONResponse:
        names = dict.fromkeys((*service.models.names, *ALIASES))
        return JSONResponse({"object": "list", "data": [_fields(name) for name in names]})

    async def one(request: Request) -> JSONResponse:
        name = request.path_params["name"]
        service.models.resolve(name)
        return JSONResponse(_fields(name))

    return [Route("/v1/models", every), Route("/v1/models/{name:path}", one)]


def _fields(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "quest22"}
