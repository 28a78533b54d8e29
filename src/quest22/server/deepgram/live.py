"""``/v1/listen`` over a websocket: the handshake, at which everything is refused that will be."""

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
from quest22.server.deepgram.conversation import CLOSED, Channel, Conversation
from quest22.server.deepgram.errors import deepgram_refused, request_id_header
from quest22.server.deepgram.naming import (
    RequestName,
    begin_request,
    request_metadata,
    result_metadata,
)
from quest22.server.deepgram.parameters import LiveParameters, Parameters
from quest22.server.deepgram.query import Query
from quest22.server.deepgram.results import ChannelResults
from quest22.server.deepgram.sound import SniffedFeed
from quest22.server.models import ServedModel
from quest22.server.operations.request_context import current_request
from quest22.server.refusal import Refusal
from quest22.server.service import Service

CONTAINER_CHANNELS = 2
"""Of a container whose channels are to be heard apart, if nothing is said of their number."""


async def listen(service: Service, websocket: WebSocket) -> None:
    """Serve one live session, or answer with an HTTP status why not."""
    request = begin_request()
    try:
        async with AsyncExitStack() as stack:
            await _listen(service, websocket, request, stack)
    except Refusal as refusal:
        await websocket.send_denial_response(deepgram_refused(refusal, request.identifier))


@dataclass(frozen=True, slots=True)
class _Call:
    """What was asked for, and what serves it."""

    request: RequestName
    parameters: Parameters
    wanted: LiveParameters
    model: ServedModel


async def _listen(
    service: Service, websocket: WebSocket, request: RequestName, stack: AsyncExitStack
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
        (name.encode(), value.encode())
        for name, value in request_id_header(request.identifier).items()
    ]
    await websocket.accept(subprotocol, answered)
    conversation = Conversation(websocket, channels, request.identifier)
    await stack.enter_async_context(service.session_registered(conversation.drain))
    await _converse(websocket, conversation, call, count)


def _session_count(parameters: Parameters) -> int:
    """One, or one for each channel that is heard for itself."""
    if not parameters.multichannel:
        return 1
    raw = parameters.sound.raw
    return raw.channels if raw else parameters.sound.channels or CONTAINER_CHANNELS


def key_of_subprotocols(offered: Sequence[str]) -> tuple[str | None, str | None]:
    """The key, and the subprotocol to answer with (never the key): of ``token, KEY``."""
    for scheme, key in pairwise(offered):
        if scheme.lower() in TOKEN_OR_BEARER:
            return key, scheme
    return None, None


async def _channels(
    service: Service, call: _Call, admissions: Sequence[Admission], stack: AsyncExitStack
) -> list[Channel]:
    """A session for each channel that is heard for itself, or one for all."""
    options = {**call.parameters.options(), **call.wanted.options()}
    metadata = result_metadata(call.request, call.model, call.parameters)
    formatting = call.parameters.formatting()
    channels, count = [], len(admissions)
    for number, admission in enumerate(admissions):
        session = await stack.enter_async_context(service.live(call.model, options, admission))
        feed = SniffedFeed(session, call.parameters.sound, number if count > 1 else None)
        results = ChannelResults(number, count, call.wanted, formatting, metadata)
        channels.append(Channel(session, feed, results))
    return channels


async def _converse(
    websocket: WebSocket, conversation: Conversation, call: _Call, count: int
) -> None:
    ending = await conversation.run()
    if ending.code is None:
        return
    if ending.fault is not None:
        current_request().reason = ending.fault
    try:
        if ending is CLOSED:
            sha256, duration_s = conversation.sha256.hexdigest(), conversation.duration_s
            metadata = request_metadata(
                call.request, call.model, call.parameters, sha256, duration_s, count
            )
            await conversation.send({"type": "Metadata", **metadata})
        await websocket.close(ending.code, ending.reason)
    except (WebSocketDisconnect, TimeoutError):
        return  # it did not wait
