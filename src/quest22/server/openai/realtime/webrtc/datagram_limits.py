"""What of a peer's datagrams is taken: about as many as speech and events need.

The connection below holds what has come without a bound. A sender who is faster than that loses the
rest, as in any network that is full; events are sent again by their protocol.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class TokenBucket:
    """So many a second, and as many at once as ``burst``."""

    a_second: float
    burst: float
    _left: float = 0.0
    _at_s: float | None = None

    def take(self, now_s: float) -> bool:
        """Whether one more is allowed."""
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
    """Datagrams that have come, each with its component; None marks the end.

    Packets of 10 ms are 100 a second; the burst is what a network held back for some seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._sound = TokenBucket(150, 1000)
        self._other = TokenBucket(1000, 2000)
        self.refused = 0

    def put_nowait(self, item: Any) -> None:
        """Add a datagram, if it is allowed."""
        if item is not None and not self._allowed(item[0]):
            self.refused += 1
            return
        super().put_nowait(item)

    def _allowed(self, data: bytes) -> bool:
        # The first byte tells RTP from DTLS (RFC 7983).
        is_sound = bool(data) and 128 <= data[0] <= 191
        return bool(data) and (self._sound if is_sound else self._other).take(self._clock())
