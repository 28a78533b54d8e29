"""``/v1/realtime/client_secrets``, and its counterparts in the beta."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from quest22.server.access.credentials import header_key, peer_address
from quest22.server.openai.realtime.client_secrets import DEFAULT_LIFETIME_S, PREFIX, ClientSecrets
from quest22.server.openai.realtime.event_sender import new_id
from quest22.server.openai.realtime.settings import SessionSettings
from quest22.server.openai.realtime.setup_requests import (
    json_object,
    read_body,
    with_openai_errors,
)
from quest22.server.refusal import Refusal
from quest22.server.service import Service

MAX_BODY_BYTES = 64 * 1024
BETA_LIFETIME_S = 60


def routes(service: Service, secrets: ClientSecrets) -> list[BaseRoute]:
    """The routes that create a client secret for an API key."""

    @with_openai_errors
    async def create(request: Request) -> Response:
        caller = _caller(request)
        body = json_object(await read_body(request, MAX_BODY_BYTES), "body")
        session = _object(body, "session")
        settings = _checked(session)
        value, expires_at = secrets.issue(caller, session, _lifetime_s(body))
        described = {
            "id": new_id("sess"),
            "object": "realtime.transcription_session",
            "type": "transcription",
            "expires_at": 0,
            **settings.fields(),
        }
        return JSONResponse({"value": value, "expires_at": expires_at, "session": described})

    @with_openai_errors
    async def create_beta(request: Request) -> Response:
        caller = _caller(request)
        session = json_object(await read_body(request, MAX_BODY_BYTES), "body")
        settings = _checked(session)
        value, expires_at = secrets.issue(caller, session, BETA_LIFETIME_S)
        described = {
            "id": new_id("sess"),
            "object": "realtime.transcription_session",
            "expires_at": 0,
            **settings.beta_fields(),
            "client_secret": {"value": value, "expires_at": expires_at},
        }
        return JSONResponse(described)

    def _caller(request: Request) -> Any:
        key = header_key(request.scope)
        if key is not None and key.startswith(PREFIX):
            raise Refusal("unauthorized", "a client secret cannot create another one: use a key")
        return service.gate.identify(key, peer_address(request.scope))

    def _checked(session: Mapping[str, Any]) -> SessionSettings:
        settings = SessionSettings().updated(session)
        service.models.resolve(settings.transcription.model)
        return settings

    return [
        Route("/v1/realtime/client_secrets", create, methods=["POST"]),
        Route("/v1/realtime/transcription_sessions", create_beta, methods=["POST"]),
        Route("/v1/realtime/sessions", create_beta, methods=["POST"]),
    ]


def _lifetime_s(body: Mapping[str, Any]) -> int:
    given = _object(body, "expires_after")
    anchor, seconds = given.get("anchor", "created_at"), given.get("seconds", DEFAULT_LIFETIME_S)
    if anchor != "created_at":
        raise Refusal(
            "bad_request",
            "expires_after.anchor: expected created_at",
            parameter="expires_after.anchor",
        )
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise Refusal(
            "bad_request",
            "expires_after.seconds: expected an integer",
            parameter="expires_after.seconds",
        )
    return seconds


def _object(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Refusal("bad_request", f"{name}: expected an object", parameter=name)
    return value
