"""When the sound of a live session arrived, from which latencies are counted."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass
from operator import attrgetter

MARK_S = 0.5
"""Blocks that come within this length of sound are noted together."""

MARKS = 240
"""Two minutes, or more: events are about sound that is younger."""

AHEAD_S = 3.0
"""Sound that is further ahead of the clock was not fed as it was spoken."""


@dataclass(slots=True)
class _Mark:
    """Neighbouring blocks: where the first and the last one end, and when each arrived.

    ``ahead_s`` is how far the sound was ahead of the clock then.
    """

    first_s: float
    first_arrived: float
    last_s: float
    last_arrived: float
    ahead_s: float

    def arrived(self, place_s: float) -> float:
        """When a place in these blocks arrived, if those between came evenly."""
        if place_s <= self.first_s:
            return self.first_arrived
        if place_s >= self.last_s:
            return self.last_arrived
        share = (place_s - self.first_s) / (self.last_s - self.first_s)
        return self.first_arrived + share * (self.last_arrived - self.first_arrived)


class Arrivals:
    """Notes when sound arrives, and tells how long ago a place in it did; in bounded memory.

    One thread may note while another asks.
    """

    def __init__(self) -> None:
        self._marks: deque[_Mark] = deque(maxlen=MARKS)
        self._begun_s = 0.0
        self._forgotten_s = 0.0

    def note(self, fed_s: float, now: float) -> None:
        """There are so many seconds of sound, the last of which has arrived now."""
        marks = self._marks
        if not marks:
            self._begun_s = now - fed_s
        ahead_s = fed_s - (now - self._begun_s)
        if marks and fed_s - marks[-1].first_s < MARK_S:
            last = marks[-1]
            marks[-1] = _Mark(last.first_s, last.first_arrived, fed_s, now, ahead_s)
            return
        if len(marks) == MARKS:
            self._forgotten_s = marks[0].last_s
        marks.append(_Mark(fed_s, now, fed_s, now, ahead_s))

    def latency_s(self, place_s: float, now: float) -> float | None:
        """Seconds since a place in the sound arrived.

        None if it is too long ago, or the sound came faster than it was spoken.
        """
        marks = list(self._marks)
        if not marks or place_s <= self._forgotten_s:
            return None
        index = bisect_left(marks, place_s, key=attrgetter("last_s"))
        mark = marks[min(index, len(marks) - 1)]
        return None if mark.ahead_s > AHEAD_S else max(0.0, now - mark.arrived(place_s))
