"""``/v1/models``: the served models and their aliases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Match, Route

from quest22.server.access.credentials import header_key, peer_address
from quest22.server.models import ALIASES
from quest22.server.openai.errors import openai_error_response
from quest22.server.refusal import Refusal
from quest22.server.service import Service

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]


def routes(service: Service) -> list[BaseRoute]:
    """The list of models, and each model by name."""

    def every(_: Request) -> dict[str, Any]:
        names = dict.fromkeys((*service.models.names, *ALIASES))
        return {"object": "list", "data": [_fields(name) for name in names]}

    def one(request: Request) -> dict[str, Any]:
        name = request.path_params["name"]
        service.models.resolve(name)
        return _fields(name)

    return [
        Route("/v1/models", _json_handler(service, every)),
        Route("/v1/models/{name:path}", _json_handler(service, one)),
    ]


def fallback_routes(service: Service) -> list[BaseRoute]:
    """All other paths below ``/v1``, so that their errors have OpenAI's format; must come last."""
    del service

    async def unknown(request: Request) -> JSONResponse:
        refusal = Refusal("not_found", f"there is no {request.method} {request.url.path} here")
        allowed = sorted(
            method
            for route in request.app.routes
            if isinstance(route, Route) and route.matches(request.scope)[0] is Match.PARTIAL
            for method in route.methods or ()
        )
        if not allowed:
            return openai_error_response(refusal)
        refusal.message += f": expected {' or '.join(allowed)}"
        answer = openai_error_response(refusal)
        answer.status_code = 405
        answer.headers["allow"] = ", ".join(allowed)
        return answer

    return [Route("/v1/{path:path}", unknown, methods=METHODS)]


def _json_handler(service: Service, body: Callable[[Request], dict[str, Any]]) -> Any:
    """A handler that responds with JSON, and with refusals in OpenAI's format."""

    async def answer(request: Request) -> JSONResponse:
        try:
            service.gate.identify(header_key(request.scope), peer_address(request.scope))
            return JSONResponse(body(request))
        except Refusal as refusal:
            return openai_error_response(refusal)

    return answer


def _fields(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "quest22"}
