"""How much one caller may ask for: a key, or an address where no keys are needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from quest22.settings.server import ServerSettings


@dataclass(frozen=True, slots=True)
class CallerLimits:
    """The limits of one caller; None: no own limit."""

    max_upload_bytes: int
    max_audio_s: float
    max_live: int | None = None
    audio_s_per_minute: float | None = None

    @classmethod
    def of(cls, settings: ServerSettings) -> CallerLimits:
        """Those of whoever has no own ones."""
        return cls(
            settings.max_upload_bytes,
            settings.max_audio_s,
            settings.max_live_each,
            settings.audio_s_per_minute,
        )


@dataclass(slots=True)
class AudioBudget:
    """Seconds of sound that a caller may still send: a token bucket that holds one minute's worth.

    How long a recording is, is known when it has been read; so a caller may run into debt once,
    and then waits until that is paid.
    """

    per_minute: float
    clock: Callable[[], float]
    _left: float = field(init=False)
    _counted: float = field(init=False)

    def __post_init__(self) -> None:
        self._left, self._counted = self.per_minute, self.clock()

    def spend(self, seconds: float) -> None:
        """So much sound was taken."""
        self._refill()
        self._left -= seconds

    @property
    def wait_s(self) -> float:
        """How long until the caller is out of debt; 0 if it has none."""
        self._refill()
        return max(0.0, -self._left * 60 / self.per_minute)

    @property
    def is_full(self) -> bool:
        """Whether nothing of it is spent, so that it may be forgotten."""
        self._refill()
        return self._left >= self.per_minute

    def _refill(self) -> None:
        now = self.clock()
        gained = (now - self._counted) * self.per_minute / 60
        self._left, self._counted = min(self.per_minute, self._left + gained), now
