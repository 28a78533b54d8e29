"""The limits of a caller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from quest22.settings.server import ServerSettings


@dataclass(frozen=True, slots=True)
class CallerLimits:
    """The limits of one caller; None: unlimited."""

    max_upload_bytes: int
    max_audio_s: float
    max_live: int | None = None
    audio_s_per_minute: float | None = None

    @classmethod
    def of(cls, settings: ServerSettings) -> CallerLimits:
        """The server's default limits."""
        return cls(
            settings.max_upload_bytes,
            settings.max_audio_s,
            settings.max_live_each,
            settings.audio_s_per_minute,
        )


@dataclass(slots=True)
class AudioBudget:
    """Seconds of audio that a caller may still send: a token bucket of one minute's worth.

    The length of a recording is known only once it has been read, so a caller may go into debt,
    and then has to wait until the debt is paid off.
    """

    per_minute: float
    clock: Callable[[], float]
    _left: float = field(init=False)
    _counted: float = field(init=False)

    def __post_init__(self) -> None:
        self._left, self._counted = self.per_minute, self.clock()

    def spend(self, seconds: float) -> None:
        """Spend some seconds."""
        self._refill()
        self._left -= seconds

    @property
    def wait_s(self) -> float:
        """How long until the debt is paid off; 0 if there is none."""
        self._refill()
        return max(0.0, -self._left * 60 / self.per_minute)

    @property
    def is_full(self) -> bool:
        """Whether nothing is spent, so that the budget can be discarded."""
        self._refill()
        return self._left >= self.per_minute

    def _refill(self) -> None:
        now = self.clock()
        gained = (now - self._counted) * self.per_minute / 60
        self._left, self._counted = min(self.per_minute, self._left + gained), now
