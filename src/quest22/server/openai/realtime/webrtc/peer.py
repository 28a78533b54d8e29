"""The connection to a call's peer: answers its offer, provides its track and data channel."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
)

from quest22.server.openai.realtime.webrtc.event_channel import EventChannel
from quest22.server.openai.realtime.webrtc.ice import configure_transports
from quest22.server.refusal import Refusal

CHANNEL = "oai-events"
"""The label of the data channel."""

MAX_CHANNELS = 8

MAX_UNFINISHED_BYTES = 2 << 20
"""Limit of incomplete messages; a peer is told that there is room for 1 MiB."""

_log = logging.getLogger("quest22.server")


class Peer:
    """One WebRTC connection; for use in one event loop.

    ``listens_at`` is the server's address. Only ``ice_servers`` are asked for addresses at which
    this machine can be reached. ``gone`` is set once the connection has ended for any reason.
    """

    def __init__(self, listens_at: str, ice_servers: Sequence[RTCIceServer]) -> None:
        # Without a list, aiortc would use one of Google's servers.
        self._listens_at = listens_at
        self._connection = RTCPeerConnection(RTCConfiguration(list(ice_servers)))
        self._channels = 0
        self.channel: asyncio.Future[EventChannel] = asyncio.get_running_loop().create_future()
        self.gone = asyncio.Event()
        self._connection.on("connectionstatechange", self._changed)
        self._connection.on("datachannel", self._opened)

    async def answer(self, offer: str) -> tuple[str, MediaStreamTrack]:
        """The answer to an offer, and the audio track. Raises :class:`Refusal`."""
        connection = self._connection
        try:
            await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
            track = self._only_track()
            configure_transports(connection, self._listens_at)
            await connection.setLocalDescription(await connection.createAnswer())
            return connection.localDescription.sdp, track
        except Exception as exc:
            # aiortc's SDP parser raises many kinds of errors.
            _log.debug("an SDP offer could not be answered", exc_info=True)
            raise Refusal(
                "bad_request",
                "this SDP offer cannot be answered: it is malformed or needs unsupported features; "
                "expected an audio track (Opus, G.722, PCMU or PCMA) and a data channel",
                parameter="sdp",
            ) from exc

    async def close(self) -> None:
        """Close the connection, even if the caller is cancelled meanwhile."""
        try:
            await asyncio.shield(self._connection.close())
        except Exception:
            _log.exception("a WebRTC connection could not be closed")
        self.channel.cancel()
        self.gone.set()

    @property
    def unfinished_bytes(self) -> int:
        """Size of the incomplete messages."""
        sctp = self._connection.sctp
        return 0 if sctp is None else (1 << 20) - int(sctp._advertised_rwnd)

    def _only_track(self) -> MediaStreamTrack:
        """The first audio track; the answer disables video and other tracks."""
        chosen = None
        for each in self._connection.getTransceivers():
            if chosen is None and each.kind == "audio" and each.receiver.track is not None:
                chosen = each.receiver.track
            else:
                each.direction = "inactive"
        if chosen is None:
            raise ValueError("no audio track")
        return chosen

    def _changed(self) -> None:
        if self._connection.connectionState in {"failed", "closed"}:
            self.gone.set()

    def _opened(self, channel: RTCDataChannel) -> None:
        self._channels += 1
        if self._channels > MAX_CHANNELS:
            _log.warning("a WebRTC peer opened more than %d data channels", MAX_CHANNELS)
            self.gone.set()
        elif channel.label != CHANNEL or self.channel.done():
            channel.close()
        else:
            self.channel.set_result(EventChannel(channel, self.gone.set))
