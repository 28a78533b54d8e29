"""Configures what aiortc has no settings for: addresses, rate limits, packet order, RTCP BYE."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from aiortc import RTCIceServer, RTCPeerConnection
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtcicetransport import parse_stun_turn_uri
from aiortc.rtp import RtcpByePacket

from quest22.errors import UsageError
from quest22.server.openai.realtime.webrtc.datagram_limits import DatagramQueue
from quest22.server.openai.realtime.webrtc.jitter_buffer import JitterBuffer

LOOPBACK = "127.0.0.1"


def ice_server(address: str) -> RTCIceServer:
    """``stun:HOST:PORT``, or ``turn:USER:PASSWORD@HOST:PORT``; raises :class:`UsageError`."""
    scheme, _, rest = address.partition(":")
    login, at, place = rest.rpartition("@")
    user, _, password = login.partition(":")
    uri = f"{scheme}:{place}"
    try:
        parse_stun_turn_uri(uri)
    except ValueError as exc:
        raise UsageError(
            f"invalid ICE server {scheme}:…: expected stun:HOST:PORT or "
            "turn:USER:PASSWORD@HOST:PORT"
        ) from exc
    return RTCIceServer(uri, user, password) if at else RTCIceServer(uri)


def configure_transports(connection: RTCPeerConnection, listens_at: str) -> None:
    """Configure the transports of an answering connection, after its offer was set."""
    transports = [each.receiver.transport for each in connection.getTransceivers()]
    for each in connection.getTransceivers():
        _outlive_goodbyes(each.receiver)
        _keep_order(each.receiver)
    if connection.sctp is not None:
        transports.append(connection.sctp.transport)
    for ice in {each.transport for each in transports}:
        _prepare(ice.iceGatherer._connection, listens_at)


def _prepare(agent: Any, listens_at: str) -> None:
    """``agent`` is aioice's connection."""
    agent._queue = DatagramQueue()
    gather = agent.get_component_candidates

    async def at_our_addresses(component: int, addresses: list[str], timeout: int = 5) -> Any:
        return await gather(component, offered_addresses(listens_at, addresses), timeout)

    agent.get_component_candidates = at_our_addresses


def _outlive_goodbyes(receiver: Any) -> None:
    """Keep a track alive after its sender's BYE.

    Browsers send one when the microphone is removed from the connection, and may add it again;
    aiortc would ignore all further audio.
    """
    handle = receiver._handle_rtcp_packet

    async def without_goodbyes(packet: Any) -> None:
        if not isinstance(packet, RtcpByePacket):
            await handle(packet)

    receiver._handle_rtcp_packet = without_goodbyes


def _keep_order(receiver: Any) -> None:
    """Replace aiortc's jitter buffer, which loses more packets than the network."""
    receiver._RTCRtpReceiver__jitter_buffer = JitterBuffer(
        lambda packet: JitterFrame(packet._data, packet.timestamp)
    )


def offered_addresses(listens_at: str, found: Sequence[str]) -> list[str]:
    """The addresses to offer, of those found on this machine.

    A server that listens on one address offers only that. A server that listens on all addresses
    offers all, and so does one on the loopback interface, because not every browser connects to
    it: access was already checked over HTTP.
    """
    try:
        only = ipaddress.ip_address(listens_at)
    except ValueError:
        only = None
    if only is None or only.is_unspecified or only.is_loopback:
        return list(dict.fromkeys([LOOPBACK, *found]))
    return [listens_at]
