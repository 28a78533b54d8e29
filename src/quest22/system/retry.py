"""Retrying what fails: one loop and one backoff schedule for every room that talks to a server.

Which errors are worth another try, and when to give up, is the caller's policy.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TypeVar

T = TypeVar("T")

TRANSIENT_STATUSES = frozenset({408, 429})
"""HTTP statuses below 500 after which the same request may succeed: time-out and rate limit."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff: delays double from ``first_s`` up to ``max_s``.

    Each is multiplied by a random factor within ``jitter``, so that many clients that failed
    together do not come back together.
    """

    first_s: float
    max_s: float
    jitter: tuple[float, float]

    def delays(self, rng: random.Random | None = None) -> Iterator[float]:
        """Seconds to wait before each retry, without end; ``rng`` makes them repeatable."""
        delay_s = self.first_s
        while True:
            yield delay_s * self.jitter_factor(rng)
            delay_s = min(2 * delay_s, self.max_s)

    def next_s(self, error: BaseException, delays: Iterator[float], max_s: float) -> float:
        """What the server asks for in ``Retry-After``, up to ``max_s``, else the next delay.

        A little is added to what it asks for, so that its clients do not all come back at once.
        """
        delay_s, requested_s = next(delays), retry_after_s(error)
        if requested_s is None:
            return delay_s
        return min(requested_s, max_s) + self.jitter_factor() * self.first_s

    def jitter_factor(self, rng: random.Random | None = None) -> float:
        """A random factor within ``jitter``."""
        spread = random.uniform if rng is None else rng.uniform
        return spread(*self.jitter)


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


def is_transient_status(status: int | None) -> bool:
    """True for an HTTP status that another try may not meet; None is no status."""
    return status is not None and (status >= 500 or status in TRANSIENT_STATUSES)


def status_of(error: BaseException) -> int | None:
    """The HTTP status of an error of aiohttp, httpx, requests or botocore."""
    response = getattr(error, "response", None)
    status = getattr(error, "status", None) or getattr(response, "status_code", None)
    if status is None and isinstance(response, Mapping):
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status if isinstance(status, int) else None


def retry_after_s(error: BaseException) -> float | None:
    """The seconds in a ``Retry-After`` header, a number or a date (RFC 9110, 10.2.3)."""
    for link in causes(error):
        response = getattr(link, "response", None)
        headers = getattr(link, "headers", None) or getattr(response, "headers", None)
        header = headers.get("Retry-After") if isinstance(headers, Mapping) else None
        if header:
            return _seconds(str(header))
    return None


def _seconds(header: str) -> float | None:
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return None


def causes(error: BaseException) -> list[BaseException]:
    """The causes of an error, the deepest, which is the most specific, first."""
    links: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in links:
        links.append(link)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return links[::-1]
