"""``/v1/listen`` over a websocket: the handshake, the only point at which a client is refused."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import pairwise

from starlette.websockets import WebSocket, WebSocketDisconnect

from quest22.server.access.credentials import (
    TOKEN_OR_BEARER,
    header_key,
    peer_address,
    subprotocols,
)
from quest22.server.access.gate import Admission
from quest22.server.deepgram.audio_feed import SniffedFeed
from quest22.server.deepgram.errors import deepgram_error_response, request_id_header
from quest22.server.deepgram.live_connection import CLOSED, Channel, LiveConnection
from quest22.server.deepgram.metadata import (
    RequestId,
    new_request_id,
    request_metadata,
    result_metadata,
)
from quest22.server.deepgram.parameters import LiveParameters, Parameters
from quest22.server.deepgram.query import Query
from quest22.server.deepgram.results import ChannelResults
from quest22.server.models import ServedModel
from quest22.server.operations.request_context import current_request
from quest22.server.refusal import Refusal
from quest22.server.service import Service

CONTAINER_CHANNELS = 2
"""Assumed for a container with ``multichannel`` if ``channels`` is not given."""


async def listen(service: Service, websocket: WebSocket) -> None:
    """Serve one live session, or refuse it with an HTTP status."""
    request = new_request_id()
    try:
        async with AsyncExitStack() as stack:
            await _listen(service, websocket, request, stack)
    except Refusal as refusal:
        await websocket.send_denial_response(deepgram_error_response(refusal, request.value))


@dataclass(frozen=True, slots=True)
class _Call:
    """A request that was accepted."""

    request: RequestId
    parameters: Parameters
    wanted: LiveParameters
    model: ServedModel


async def _listen(
    service: Service, websocket: WebSocket, request: RequestId, stack: AsyncExitStack
) -> None:
    scope = websocket.scope
    offered_key, subprotocol = key_of_subprotocols(subprotocols(scope))
    key = header_key(scope, TOKEN_OR_BEARER) or offered_key
    caller = service.gate.identify(key, peer_address(scope))
    query = Query(websocket.query_params.multi_items())
    parameters, wanted = Parameters.of(query, service.models.names), LiveParameters.of(query)
    count = _session_count(parameters)
    admissions = [stack.enter_context(service.gate.admit(caller, "live")) for _ in range(count)]
    model = await stack.enter_async_context(service.models.borrow(parameters.model))
    call = _Call(request, parameters, wanted, model)
    channels = await _channels(service, call, admissions, stack)
    answered = [
        (name.encode(), value.encode()) for name, value in request_id_header(request.value).items()
    ]
    await websocket.accept(subprotocol, answered)
    connection = LiveConnection(websocket, channels, request.value)
    await stack.enter_async_context(service.session_registered(connection.drain))
    await _converse(websocket, connection, call, count)


def _session_count(parameters: Parameters) -> int:
    """One, or with ``multichannel`` one per channel."""
    if not parameters.multichannel:
        return 1
    raw = parameters.audio.raw
    return raw.channels if raw else parameters.audio.channels or CONTAINER_CHANNELS


def key_of_subprotocols(offered: Sequence[str]) -> tuple[str | None, str | None]:
    """The key in the subprotocols ``token, KEY``, and the subprotocol to select: never the key."""
    for scheme, key in pairwise(offered):
        if scheme.lower() in TOKEN_OR_BEARER:
            return key, scheme
    return None, None


async def _channels(
    service: Service, call: _Call, admissions: Sequence[Admission], stack: AsyncExitStack
) -> list[Channel]:
    """Open a live session per channel, or one for all."""
    options = {**call.parameters.options(), **call.wanted.options()}
    metadata = result_metadata(call.request, call.model, call.parameters)
    formatting = call.parameters.formatting()
    channels, count = [], len(admissions)
    for number, admission in enumerate(admissions):
        session = await stack.enter_async_context(service.live(call.model, options, admission))
        feed = SniffedFeed(session, call.parameters.audio, number if count > 1 else None)
        results = ChannelResults(number, count, call.wanted, formatting, metadata)
        channels.append(Channel(session, feed, results))
    return channels


async def _converse(
    websocket: WebSocket, connection: LiveConnection, call: _Call, count: int
) -> None:
    ending = await connection.run()
    if ending.code is None:
        return
    if ending.fault is not None:
        current_request().reason = ending.fault
    try:
        if ending is CLOSED:
            sha256, duration_s = connection.sha256.hexdigest(), connection.duration_s
            metadata = request_metadata(
                call.request, call.model, call.parameters, sha256, duration_s, count
            )
            await connection.send({"type": "Metadata", **metadata})
        await websocket.close(ending.code, ending.reason)
    except (WebSocketDisconnect, TimeoutError):
        return  # the client has disconnected
