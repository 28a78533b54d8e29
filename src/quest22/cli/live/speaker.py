"""One session as displays see it: who speaks, what was heard of it, how it stands."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from quest22.records import SAMPLE_RATE_HZ, Samples

LEVELS_KEPT = 10


@dataclass(slots=True)
class Speaker:
    """A session; ``number`` counts from 1. Written by one thread, read by another.

    ``channel`` is its channel's, if each channel of the sound is a session.

    ``heard_s`` is the sound that has come. ``waiting_since`` is when the source was last asked for
    more, by ``clock``; None while it is not. ``levels_db`` are the last blocks' levels.
    """

    number: int
    name: str
    channel: int | None = None
    clock: Callable[[], float] = time.monotonic
    heard_s: float = 0.0
    waiting_since: float | None = None
    levels_db: deque[float] = field(default_factory=lambda: deque(maxlen=LEVELS_KEPT))

    @property
    def mark(self) -> str:
        """A letter or a number that stands for it in front of its captions."""
        return {"[LEFT]": "L", "[RIGHT]": "R"}.get(
            self.name, str(self.number if self.channel is None else self.channel)
        )

    def waits(self) -> None:
        """The source is asked for the next block."""
        self.waiting_since = self.clock()

    def hears(self, block: Samples) -> None:
        """A block has come."""
        self.waiting_since = None
        self.heard_s += len(block) / SAMPLE_RATE_HZ
        peak = float(np.abs(block).max(initial=0.0))
        self.levels_db.append(20 * np.log10(max(peak, 1e-6)))

    @property
    def waited_s(self) -> float:
        """How long nothing has come."""
        since = self.waiting_since
        return 0.0 if since is None else self.clock() - since
