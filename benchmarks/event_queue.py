"""Events by time, for simulations with many events far ahead.

A single heap of 30,000 events compares fifteen of them for each that comes out. Here only those of
the next moment are a heap; later ones lie unsorted in slots of time, a calendar queue (Brown,
1988). Events come out in the same order as from a heap.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Generic, TypeVar

SLOTS_PER_S = 32

Event = TypeVar("Event", bound=tuple[object, ...])


class EventQueue(Generic[Event]):
    """Tuples that begin with their time in seconds, from 0 on, and something that differs."""

    def __init__(self) -> None:
        self._next: list[Event] = []
        self._slot = -1
        self._slots: dict[int, list[Event]] = {}
        self._later: list[int] = []

    def push(self, event: Event) -> None:
        """Add an event; one of the past is the next."""
        slot = int(event[0] * SLOTS_PER_S)  # type: ignore[operator]
        if slot <= self._slot:
            heapq.heappush(self._next, event)
            return
        events = self._slots.get(slot)
        if events is None:
            self._slots[slot] = [event]
            heapq.heappush(self._later, slot)
        else:
            events.append(event)

    def __iter__(self) -> Iterator[Event]:
        """The earliest event, again and again, until there is none; more may be added meanwhile."""
        while self._next or self._later:
            if not self._next:
                self._slot = heapq.heappop(self._later)
                self._next = self._slots.pop(self._slot)
                heapq.heapify(self._next)
            soon, pop = self._next, heapq.heappop
            while soon:
                yield pop(soon)
