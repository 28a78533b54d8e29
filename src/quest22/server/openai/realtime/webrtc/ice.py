"""What aiortc has no settings for: addresses, floods, lost packets, and microphones that rest."""

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
            "an ICE server is named as stun:HOST:PORT or turn:USER:PASSWORD@HOST:PORT, "
            f"not {scheme}:… as given"
        ) from exc
    return RTCIceServer(uri, user, password) if at else RTCIceServer(uri)


def configure_transports(connection: RTCPeerConnection, listens_at: str) -> None:
    """Set up an with_openai_errors connection's transports, once the offer is known."""
    transports = [each.receiver.transport for each in connection.getTransceivers()]
    for each in connection.getTransceivers():
        _outlive_goodbyes(each.receiver)
        _keep_order(each.receiver)
    if connection.sctp is not None:
        transports.append(connection.sctp.transport)
    for ice in {each.transport for each in transports}:
        _prepare(ice.iceGatherer._connection, listens_at)


def _prepare(agent: Any, listens_at: str) -> None:
    """``agent`` is aioice's connection, which has no settings for either."""
    agent._queue = DatagramQueue()
    gather = agent.get_component_candidates

    async def at_our_addresses(component: int, addresses: list[str], timeout: int = 5) -> Any:
        return await gather(component, offered_addresses(listens_at, addresses), timeout)

    agent.get_component_candidates = at_our_addresses


def _outlive_goodbyes(receiver: Any) -> None:
    """Let a track go on after its sender's BYE.

    Browsers send one when a microphone is taken off the connection, and put it on again; aiortc
    would hear nothing more.
    """
    handle = receiver._handle_rtcp_packet

    async def without_goodbyes(packet: Any) -> None:
        if not isinstance(packet, RtcpByePacket):
            await handle(packet)

    receiver._handle_rtcp_packet = without_goodbyes


def _keep_order(receiver: Any) -> None:
    """Give its packets in order, without its buffer's losses."""
    receiver._RTCRtpReceiver__jitter_buffer = JitterBuffer(
        lambda packet: JitterFrame(packet._data, packet.timestamp)
    )


def offered_addresses(listens_at: str, found: Sequence[str]) -> list[str]:
    """The addresses at which a call can come in, of those that were found on this machine.

    A server that listens on one address takes calls there. One that listens on all takes them on
    all, and so does one that listens on the loopback interface, as browsers do not call there:
    who may call is settled before, over HTTP.
    """
    try:
        only = ipaddress.ip_address(listens_at)
    except ValueError:
        only = None
    if only is None or only.is_unspecified or only.is_loopback:
        return list(dict.fromkeys([LOOPBACK, *found]))
    return [listens_at]
