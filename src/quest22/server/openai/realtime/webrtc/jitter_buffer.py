"""Puts RTP packets in order; a lost packet does not hold up the others.

aiortc's own jitter buffer releases a packet only after the next four have arrived, so each packet
that the network loses costs up to five.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

MAX_REORDERED = 2
"""How many packets may overtake a late one."""

MAX_SEQUENCE_JUMP = 1000
"""A larger jump in sequence numbers means that the sender has restarted."""

Frame = TypeVar("Frame")


class Packet(Protocol):
    """The part of an RTP packet that matters here."""

    @property
    def sequence_number(self) -> int: ...


Sent = TypeVar("Sent", bound=Packet)


class JitterBuffer(Generic[Sent, Frame]):
    """Has the interface of aiortc's jitter buffer; ``frame`` converts packets for the decoder."""

    def __init__(self, frame: Callable[[Sent], Frame]) -> None:
        self._frame = frame
        self._waiting: list[tuple[int, Sent]] = []
        self._newest = 0  # numbers that do not wrap
        self._given: int | None = None

    def add(self, packet: Sent) -> tuple[bool, Frame | None]:
        """Add a packet; returns False (no packet loss to report) and the next frame, if any."""
        number = self._number(packet)
        if number <= (self._given or 0) or any(number == each for each, _ in self._waiting):
            return False, None  # too late, or a duplicate
        self._waiting.append((number, packet))
        self._waiting.sort(key=lambda each: each[0])
        if len(self._waiting) <= MAX_REORDERED:
            return False, None
        self._given, first = self._waiting.pop(0)
        return False, self._frame(first)

    def _number(self, packet: Sent) -> int:
        """The packet's sequence number, extended beyond 16 bits."""
        ahead = (packet.sequence_number - self._newest + 0x8000) % 0x10000 - 0x8000
        number = self._newest + ahead
        if abs(ahead) > MAX_SEQUENCE_JUMP or self._given is None:
            self._waiting.clear()
            number += 0x10000
            self._given = number - MAX_SEQUENCE_JUMP
        self._newest = max(self._newest, number)
        return number
