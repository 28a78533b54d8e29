"""Where the frames of a track belong in time: what is lost or not sent becomes silence."""

from __future__ import annotations

from dataclasses import dataclass

TICKS_HZ = 48_000
"""All codecs' clocks divide it."""

SILENCE_AFTER_S = 1.0
"""A track that sends nothing for so long is silent: a muted microphone, a network that is away."""

SILENCE_LAG_S = 0.5
"""How far silence that nobody sent stays behind the clock, for sound that is on its way."""

MAX_AHEAD_S = 5.0
"""How far a track's sound may be ahead of the clock: more comes faster than it is spoken."""


@dataclass(slots=True)
class TrackClock:
    """Counts a track's sound in ticks, holes included, and never runs ahead of the real clock.

    A frame's time is what its sender says, as long as that can be: a sender who says that hours
    have passed within a second has begun to count anew.
    """

    _began_s: float | None = None
    _heard_s: float = 0.0
    _origin: int = 0
    _position: int = 0

    def place(self, start: int, count: int, now_s: float) -> int | None:
        """Take a frame of ``count`` ticks; returns how many are missing before it.

        ``start`` is the sender's time, in ticks, and ``now_s`` the real one. Returns None for a
        frame that must be left out, as sound comes faster than it is spoken.
        """
        if self._began_s is None:
            self._began_s, self._origin = now_s, start
        self._heard_s = now_s
        missing = start - self._origin - self._position
        room = self._ticks_since_beginning(now_s) + round(MAX_AHEAD_S * TICKS_HZ) - self._position
        if missing < 0 or missing + count > room:
            # Late, as silence has taken its place, or out of all bounds.
            self._origin = start - self._position
            missing = 0
        if count > room:
            return None
        self._position += missing + count
        return missing

    def idle(self, now_s: float) -> int:
        """How many ticks of silence to add, as nothing has come for a while."""
        if self._began_s is None or now_s - self._heard_s < SILENCE_AFTER_S:
            return 0
        behind = round((now_s - self._began_s - SILENCE_LAG_S) * TICKS_HZ) - self._position
        added = max(0, behind)
        self._position += added
        return added

    def _ticks_since_beginning(self, now_s: float) -> int:
        return round((now_s - (self._began_s or 0.0)) * TICKS_HZ)
