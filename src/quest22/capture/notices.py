"""What a source tells while sound goes on: one line each, and none again and again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias

Notify: TypeAlias = Callable[[str], None]

REPEAT_S = 60.0


class Sparingly:
    """Passes on a line, and the same line again only after a minute."""

    def __init__(self, notify: Notify, clock: Callable[[], float] = time.monotonic) -> None:
        self._notify = notify
        self._clock = clock
        self._told: dict[str, float] = {}

    def __call__(self, line: str) -> None:
        now = self._clock()
        if now - self._told.get(line, -REPEAT_S) < REPEAT_S:
            return
        self._told[line] = now
        self._notify(line)
