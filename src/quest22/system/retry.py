"""Retrying what fails: one loop and one backoff schedule for every room that talks to a server.

Which errors are worth another try, and when to give up, is the caller's policy.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff: delays double from ``first_s`` up to ``max_s``.

    Each is multiplied by a random factor within ``jitter``, so that many clients that failed
    together do not come back together.
    """

    first_s: float
    max_s: float
    jitter: tuple[float, float]

    def delays(self) -> Iterator[float]:
        """Seconds to wait before each retry, without end."""
        delay_s = self.first_s
        while True:
            yield delay_s * self.jitter_factor()
            delay_s = min(2 * delay_s, self.max_s)

    def jitter_factor(self) -> float:
        """A random factor within ``jitter``."""
        return random.uniform(*self.jitter)  # noqa: S311 -- spreads load, keeps no secret


def retry(
    action: Callable[[], T],
    delay_after: Callable[[Exception], float],
    sleep: Callable[[float], None] | None = None,
) -> T:
    """The result of ``action``, called again after each error for as long as the policy allows.

    ``delay_after`` takes an error and returns the seconds to wait before the next try, or raises
    to give up. ``sleep`` replaces ``time.sleep``.
    """
    while True:
        try:
            return action()
        except Exception as exc:  # noqa: PERF203 -- retrying is the purpose of this loop
            (sleep or time.sleep)(delay_after(exc))
