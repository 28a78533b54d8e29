"""``/v1/realtime/calls``: a client posts a WebRTC offer and gets the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from quest22.server.access.credentials import header_key, peer_address
from quest22.server.access.gate import Admission, Caller
from quest22.server.openai.realtime.calls import Calls
from quest22.server.openai.realtime.client_secrets import ClientSecrets
from quest22.server.openai.realtime.event_sender import Send
from quest22.server.openai.realtime.session import RealtimeSession
from quest22.server.openai.realtime.settings import SessionSettings
from quest22.server.openai.realtime.setup_requests import (
    json_object,
    read_body,
    with_openai_errors,
)
from quest22.server.openai.realtime.webrtc.offer import MAX_OFFER_BYTES
from quest22.server.openai.realtime.websocket import is_beta
from quest22.server.refusal import Refusal
from quest22.server.service import Service
from quest22.server.upload.multipart import MultipartReader, PartStart

MAX_SESSION_BYTES = 64 * 1024
ENVELOPE_BYTES = 8 * 1024
"""Allowance for the headers and boundaries of a multipart body."""


def routes(service: Service, secrets: ClientSecrets) -> list[BaseRoute]:
    """The routes that start and end calls; the beta uses ``POST /v1/realtime``."""
    calls = Calls(service)

    def identify(request: Request) -> tuple[Caller, Mapping[str, Any] | None]:
        key = header_key(request.scope)
        return secrets.identify(service.gate, key, peer_address(request.scope))

    @with_openai_errors
    async def create(request: Request) -> Response:
        caller, session = identify(request)
        offer, given = await _offer(request)
        settings = SessionSettings().updated(given or session or {})
        model = request.query_params.get("model")
        beta = is_beta(request)

        def open_session(admission: Admission, send: Send) -> RealtimeSession:
            return RealtimeSession(service, admission, model, send, settings=settings, is_beta=beta)

        name, answer = await calls.answer(caller, offer, open_session)
        headers = {"Location": f"/v1/realtime/calls/{name}"}
        return Response(answer, 201, headers, media_type="application/sdp")

    @with_openai_errors
    async def hang_up(request: Request) -> Response:
        caller, _ = identify(request)
        await calls.hang_up(caller, request.path_params["name"])
        return Response(status_code=200)

    return [
        Route("/v1/realtime/calls", create, methods=["POST"]),
        Route("/v1/realtime", create, methods=["POST"]),
        Route("/v1/realtime/calls/{name}", hang_up, methods=["DELETE"]),
        Route("/v1/realtime/calls/{name}/hangup", hang_up, methods=["POST"]),
    ]


async def _offer(request: Request) -> tuple[bytes, Mapping[str, Any] | None]:
    """The offer, and the session's settings if the body has them."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/sdp":
        return await read_body(request, MAX_OFFER_BYTES), None
    if kind != "multipart/form-data":
        raise Refusal(
            "bad_request",
            f"the body is {kind or 'of no type'}: expected application/sdp, or multipart/form-data "
            "with the parts sdp and session",
        )
    parts = await _parts(request)
    if "sdp" not in parts:
        raise Refusal("bad_request", "the part sdp is missing", parameter="sdp")
    session = parts.get("session")
    return parts["sdp"], None if session is None else json_object(session, "session")


async def _parts(request: Request) -> dict[str, bytes]:
    reader = MultipartReader(request.headers.get("content-type", ""))
    body = await read_body(request, MAX_OFFER_BYTES + MAX_SESSION_BYTES + ENVELOPE_BYTES)
    found: dict[str, bytes] = {}
    name = ""
    for event in reader.feed(body):
        if isinstance(event, PartStart):
            name, found[event.name] = event.name, b""
        elif event is not None:
            found[name] += event
    reader.end()
    return found
