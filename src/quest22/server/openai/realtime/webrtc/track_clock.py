"""Places the frames of a track in time; lost or unsent audio becomes silence."""

from __future__ import annotations

from dataclasses import dataclass

TICKS_HZ = 48_000
"""A multiple of all codecs' clock rates."""

SILENCE_AFTER_S = 1.0
"""A track that sends nothing for this long counts as silent: it is muted or has no network."""

SILENCE_LAG_S = 0.5
"""How far added silence stays behind the clock, to leave room for audio in transit."""

MAX_AHEAD_S = 5.0
"""How far a track's audio may be ahead of the clock; beyond that, it arrives too fast."""


@dataclass(slots=True)
class TrackClock:
    """Counts a track's audio in ticks, including gaps, and never runs ahead of the real clock.

    A frame's time is its timestamp, as long as that is plausible. A sender whose timestamp jumps by
    hours within a second has restarted its clock.
    """

    _began_s: float | None = None
    _heard_s: float = 0.0
    _origin: int = 0
    _position: int = 0

    def place(self, start: int, count: int, now_s: float) -> int | None:
        """Place a frame of ``count`` ticks; returns how many ticks are missing before it.

        ``start`` is the frame's timestamp in ticks, ``now_s`` the current time. Returns None for a
        frame that must be dropped because the audio arrives faster than real time.
        """
        if self._began_s is None:
            self._began_s, self._origin = now_s, start
        self._heard_s = now_s
        missing = start - self._origin - self._position
        room = self._ticks_since_beginning(now_s) + round(MAX_AHEAD_S * TICKS_HZ) - self._position
        if missing < 0 or missing + count > room:
            # Late, with silence already in its place, or implausible.
            self._origin = start - self._position
            missing = 0
        if count > room:
            return None
        self._position += missing + count
        return missing

    def idle(self, now_s: float) -> int:
        """How many ticks of silence to add because nothing has arrived for a while."""
        if self._began_s is None or now_s - self._heard_s < SILENCE_AFTER_S:
            return 0
        behind = round((now_s - self._began_s - SILENCE_LAG_S) * TICKS_HZ) - self._position
        added = max(0, behind)
        self._position += added
        return added

    def _ticks_since_beginning(self, now_s: float) -> int:
        return round((now_s - (self._began_s or 0.0)) * TICKS_HZ)
