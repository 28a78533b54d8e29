"""Packets of sound in the order in which they were sent; one that is lost holds up no others.

aiortc's own buffer gives a packet only if the four behind it have come too: every packet that a
network loses costs up to five.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

MAX_REORDERED = 2
"""Packets that wait for one which is late: as many may overtake it."""

MAX_SEQUENCE_JUMP = 1000
"""A packet whose number is that far away belongs to a sender that has begun anew."""

Frame = TypeVar("Frame")


class Packet(Protocol):
    """What it needs of an RTP packet."""

    @property
    def sequence_number(self) -> int: ...


Sent = TypeVar("Sent", bound=Packet)


class JitterBuffer(Generic[Sent, Frame]):
    """A buffer as aiortc's receiver expects it; ``frame`` makes of a packet what is decoded."""

    def __init__(self, frame: Callable[[Sent], Frame]) -> None:
        self._frame = frame
        self._waiting: list[tuple[int, Sent]] = []
        self._newest = 0  # numbers that do not wrap
        self._given: int | None = None

    def add(self, packet: Sent) -> tuple[bool, Frame | None]:
        """Take a packet; False, and the next one in order, if it can be given."""
        number = self._number(packet)
        if number <= (self._given or 0) or any(number == each for each, _ in self._waiting):
            return False, None  # too late, or twice
        self._waiting.append((number, packet))
        self._waiting.sort(key=lambda each: each[0])
        if len(self._waiting) <= MAX_REORDERED:
            return False, None
        self._given, first = self._waiting.pop(0)
        return False, self._frame(first)

    def _number(self, packet: Sent) -> int:
        """The packet's number, counted on where its 16 bits end."""
        ahead = (packet.sequence_number - self._newest + 0x8000) % 0x10000 - 0x8000
        number = self._newest + ahead
        if abs(ahead) > MAX_SEQUENCE_JUMP or self._given is None:
            self._waiting.clear()
            number += 0x10000
            self._given = number - MAX_SEQUENCE_JUMP
        self._newest = max(self._newest, number)
        return number
