"""Limits the rate of a peer's datagrams to about what speech and events need.

aioice queues incoming datagrams without a limit. Datagrams above the rate are dropped, as in a
congested network; SCTP retransmits events.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class TokenBucket:
    """A rate limit: ``a_second`` on average, ``burst`` at once."""

    a_second: float
    burst: float
    _left: float = 0.0
    _at_s: float | None = None

    def take(self, now_s: float) -> bool:
        """Take a token; False if there is none."""
        if self._at_s is None:
            self._left = self.burst
        else:
            gained = (now_s - self._at_s) * self.a_second
            self._left = min(self.burst, self._left + gained)
        self._at_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


class DatagramQueue(asyncio.Queue[Any]):
    """Received datagrams, each with its component; None marks the end.

    Packets of 10 ms are 100 a second; a burst is what a network held back for a few seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._audio = TokenBucket(150, 1000)
        self._other = TokenBucket(1000, 2000)
        self.refused = 0

    def put_nowait(self, item: Any) -> None:
        """Add a datagram, or drop it if it exceeds the rate."""
        if item is not None and not self._allowed(item[0]):
            self.refused += 1
            return
        super().put_nowait(item)

    def _allowed(self, data: bytes) -> bool:
        # The first byte distinguishes RTP from DTLS (RFC 7983).
        is_audio = bool(data) and 128 <= data[0] <= 191
        return bool(data) and (self._audio if is_audio else self._other).take(self._clock())
