"""How many sessions a program can take at once."""

from __future__ import annotations

from collections.abc import Callable

COMMITTED_LIMIT_S = 2.5
"""Sessions are too many when 5 % of the words take longer than this to be committed."""

MOST = 64
"""No search goes beyond so many sessions."""


def most_sessions(keeps_up: Callable[[int], bool]) -> int:
    """The largest number of sessions with which a program keeps up; 0 if it does not with one.

    Doubles until it does not, then halves the interval; each number is tried once.
    """
    good, bad = 0, 1
    while bad <= MOST and keeps_up(bad):
        good, bad = bad, 2 * bad
    while bad - good > 1 and good < MOST:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if keeps_up(middle) else (good, middle)
    return good
