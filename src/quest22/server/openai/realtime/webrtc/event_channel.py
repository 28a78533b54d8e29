"""Events on a data channel, bounded in both directions.

A peer that reads slowly makes the sender wait, as on a socket. A peer that sends events faster than
they are handled cannot be slowed down, so its connection is closed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from aiortc import RTCDataChannel

MAX_OUTGOING_BYTES = 256 * 1024
"""When more is waiting to be sent, the sender waits."""

MAX_INCOMING_BYTES = 4 << 20
"""Limit of events waiting to be handled; each is at most 64 KiB."""

EVENT_COST_BYTES = 4096
"""Added to the size of each event, so that the number of empty ones is bounded too."""

SEND_TIMEOUT_S = 30.0
"""A peer that reads nothing for this long is disconnected."""

_log = logging.getLogger("quest22.server")


class EventChannel:
    """One data channel; ``on_end`` is called when it has closed."""

    def __init__(self, channel: RTCDataChannel, on_end: Callable[[], None]) -> None:
        self._channel = channel
        self._on_end = on_end
        self._incoming: deque[tuple[str, float]] = deque()
        self._held_bytes = 0
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._closed = False
        channel.bufferedAmountLowThreshold = MAX_OUTGOING_BYTES // 2
        channel.on("message", self._received)
        channel.on("bufferedamountlow", self._room.set)
        channel.on("close", self._end)

    async def send(self, text: str) -> None:
        """Send an event, waiting for room; raises :class:`ConnectionError` if the peer is gone."""
        while not self._closed and self._channel.bufferedAmount > MAX_OUTGOING_BYTES:
            self._room.clear()
            try:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await self._room.wait()
            except TimeoutError:
                _log.warning("a WebRTC peer read no events for %.0f s", SEND_TIMEOUT_S)
                self._end()
        if self._closed or self._channel.readyState != "open":
            raise ConnectionError("the peer has disconnected")
        try:
            self._channel.send(text)
        except ValueError as exc:
            self._end()
            raise ConnectionError(f"the event is too large for the peer: {exc}") from exc

    async def receive(self) -> tuple[str, float] | None:
        """The peer's next event and its arrival time; None once the channel has closed.

        The event counts against the limit until :meth:`release`.
        """
        while not self._incoming:
            if self._closed:
                return None
            self._arrived.clear()
            await self._arrived.wait()
        return self._incoming.popleft()

    def release(self, text: str) -> None:
        """An event has been handled."""
        self._held_bytes -= _cost_bytes(text)

    async def drain(self, within_s: float) -> None:
        """Wait until everything sent has been delivered, at most ``within_s``."""
        give_up_s = asyncio.get_running_loop().time() + within_s
        while self._on_its_way and asyncio.get_running_loop().time() < give_up_s:
            await asyncio.sleep(0.02)

    @property
    def _on_its_way(self) -> bool:
        sctp = self._channel.transport
        waiting = self._channel.bufferedAmount or sctp._outbound_queue or sctp._sent_queue
        return bool(waiting) and not self._closed

    def _received(self, data: str | bytes) -> None:
        text = data if isinstance(data, str) else data.decode("utf-8", "replace")
        if self._closed:
            return
        self._held_bytes += _cost_bytes(text)
        if self._held_bytes > MAX_INCOMING_BYTES:
            _log.warning("a WebRTC peer sent events faster than they could be handled")
            self._end()
            return
        self._incoming.append((text, asyncio.get_running_loop().time()))
        self._arrived.set()

    def _end(self) -> None:
        if not self._closed:
            self._closed = True
            self._incoming.clear()
            self._arrived.set()
            self._room.set()
            self._on_end()


def _cost_bytes(text: str) -> int:
    return len(text) + EVENT_COST_BYTES
