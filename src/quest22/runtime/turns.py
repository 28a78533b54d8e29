"""Who uses an engine next: those who wait for it before runs over files, piece by piece.

A batch of files may take seconds. While somebody speaks it is therefore run in pieces of one
window, and whoever waits comes between them. That may change a result in its last digits, which a
run that is continued after a crash must not do: its batches stay whole, unless the engine gives
these windows the same results in any batch.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from math import inf
from typing import Any

from quest22.protocols import Engine
from quest22.records import Hypothesis, Window

SPEAKING_S = 5.0
"""Who has spoken, or was fed, is taken to go on for this time."""

QUIET_SHARE = 4
"""While sound without speech is fed, other windows come in quarters of a batch: that costs them
little, and the next word will not wait for long."""

URGENT_IN_A_ROW = 16
"""After so many urgent batches, a piece of a file has its turn."""


@dataclass(slots=True)
class SpeechTimes:
    """When live clips were last fed, and last had speech, in seconds on one clock."""

    fed_s: float = -inf
    spoke_s: float = -inf

    def windows_beside(self, now: float, batch_size: int) -> int:
        """How many windows without live sound may run together now.

        One while somebody speaks, who waits for them. Sessions that are open and not fed do not
        count.
        """
        if now - self.spoke_s < SPEAKING_S:
            return 1
        if now - self.fed_s < SPEAKING_S:
            return max(1, batch_size // QUIET_SHARE)
        return batch_size

    def skip(self, seconds: float) -> None:
        """Forget a time in which nothing could be heard, as the loop waited for the engine."""
        self.fed_s += seconds
        self.spoke_s += seconds


class EngineTurns:
    """Shares one engine among loops and runs, in any threads.

    ``speech`` is what the loops have heard, on ``clock``.
    """

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self.engine = engine
        self.speech = SpeechTimes()
        self._clock = clock
        self._changed = threading.Condition()
        self._busy = False
        self._urgent_waiting = 0
        self._files_waiting = 0
        self._urgent_in_a_row = 0

    def view(self, *, urgent: bool, exact: bool = False) -> Engine:
        """The engine, for batches that are urgent, or for those of files.

        ``exact``: their results must be those of whole batches, to the last bit.
        """
        return _Turn(self, urgent=urgent, exact=exact)

    @contextmanager
    def turn(self, *, urgent: bool) -> Iterator[None]:
        """Wait for the engine, and keep others from it."""
        began = self._clock()
        with self._changed:
            self._count_waiting(1, urgent=urgent)
            try:
                self._changed.wait_for(lambda: self._may_begin(urgent=urgent))
            finally:
                self._count_waiting(-1, urgent=urgent)
            self._busy = True
            self._urgent_in_a_row = self._urgent_in_a_row + 1 if urgent else 0
        try:
            yield
        finally:
            with self._changed:
                if urgent:
                    self.speech.skip(self._clock() - began)
                self._busy = False
                self._changed.notify_all()

    def piece(self) -> int:
        """How many of a file's windows may run together now."""
        if self._urgent_waiting:
            return 1
        return self.speech.windows_beside(self._clock(), self.engine.batch_size)

    def _may_begin(self, *, urgent: bool) -> bool:
        if self._busy:
            return False
        if urgent:
            return not self._files_waiting or self._urgent_in_a_row < URGENT_IN_A_ROW
        return not self._urgent_waiting or self._urgent_in_a_row >= URGENT_IN_A_ROW

    def _count_waiting(self, change: int, *, urgent: bool) -> None:
        if urgent:
            self._urgent_waiting += change
        else:
            self._files_waiting += change


class _Turn:
    """An :class:`Engine` that waits for its turns at another one."""

    def __init__(self, turns: EngineTurns, *, urgent: bool, exact: bool) -> None:
        self._turns = turns
        self._engine = turns.engine
        self._urgent = urgent
        self._exact = exact
        self.batch_size = turns.engine.batch_size
        self.batches_in_flight = turns.engine.batches_in_flight

    def same_in_any_batch(self, windows: Sequence[Window]) -> bool:
        return self._engine.same_in_any_batch(windows)

    def run(self, windows: Sequence[Window]) -> list[Hypothesis]:
        exact = self._exact and not self.same_in_any_batch(windows)
        whole = self._urgent or exact
        hypotheses: list[Hypothesis] = []
        while len(hypotheses) < len(windows):
            with self._turn():
                left = windows[len(hypotheses) :]
                most = len(left) if whole else self._turns.piece()
                hypotheses += self._engine.run(left[:most])
        return hypotheses

    def begin(self, windows: Sequence[Window]) -> Any:
        with self._turn():
            return self._engine.begin(windows)

    def finish(self, ticket: Any) -> list[Hypothesis]:
        with self._turn():
            return self._engine.finish(ticket)

    def abandon(self, ticket: Any) -> None:
        self._engine.abandon(ticket)

    def close(self) -> None:
        self._engine.close()

    def _turn(self) -> AbstractContextManager[None]:
        return self._turns.turn(urgent=self._urgent)
