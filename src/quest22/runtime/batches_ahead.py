"""Runs batches in a thread, so that meanwhile the caller prepares the next and finishes the last.

For engines that compute on another device, which would idle while clips are read, windows formed
and results written. Batches run one after the other, in order, and each as it would alone: results
do not depend on how fast anybody is.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue

from quest22.errors import EngineError
from quest22.protocols import Engine
from quest22.records import Hypothesis, Window
from quest22.system.forks import HomeProcess

_PATIENCE_S = 0.5
"""On Windows, Ctrl-C comes between two waits alone."""


@dataclass(slots=True, eq=False)
class AheadBatch:
    """Windows that run in the thread now or later, and what came of them."""

    windows: Sequence[Window]
    done: threading.Event = field(default_factory=threading.Event)
    outcome: list[Hypothesis] | Exception = field(default_factory=list)
    abandoned: bool = False


class BatchesAhead:
    """An :class:`Engine` with one batch in another engine and one on the way. Close it.

    Calls come from one thread.
    """

    batches_in_flight = 2

    def __init__(self, engine: Engine) -> None:
        self.batch_size = engine.batch_size
        self._engine = engine
        self._home = HomeProcess()
        self._lane = _Lane()
        self._thread: threading.Thread | None = None

    def same_in_any_batch(self, windows: Sequence[Window]) -> bool:
        return self._engine.same_in_any_batch(windows)

    def run(self, windows: Sequence[Window]) -> list[Hypothesis]:
        return self.finish(self.begin(windows))

    def begin(self, windows: Sequence[Window]) -> AheadBatch:
        batch = AheadBatch(windows)
        self._lane.waiting.put(batch)
        if self._thread is None:
            given = (self._engine, self._lane)
            name = "quest22-batches"
            self._thread = threading.Thread(target=_work, args=given, name=name, daemon=True)
            self._thread.start()
        return batch

    def finish(self, ticket: AheadBatch) -> list[Hypothesis]:
        while not ticket.done.wait(_PATIENCE_S):
            pass
        if isinstance(ticket.outcome, Exception):
            raise ticket.outcome
        return ticket.outcome

    def abandon(self, ticket: AheadBatch) -> None:
        """A batch that waits is not run; one that runs goes on until this is closed."""
        ticket.abandoned = True

    def close(self) -> None:
        """End the thread; a batch that it runs is interrupted, as by Ctrl-C. The engine stays."""
        thread, self._thread = self._thread, None
        if thread is None or not self._home.is_here:
            return
        self._lane.closed = True
        while thread.is_alive() and (running := self._lane.running) is not None:
            _interrupt(thread)
            running.done.wait(_PATIENCE_S)
        self._lane.waiting.put(None)
        thread.join()


@dataclass(slots=True)
class _Lane:
    """Batches on their way to an engine, and the one in it; None ends the thread."""

    waiting: SimpleQueue[AheadBatch | None] = field(default_factory=SimpleQueue)
    running: AheadBatch | None = None
    closed: bool = False


def _work(engine: Engine, lane: _Lane) -> None:
    while (batch := lane.waiting.get()) is not None:
        lane.running = batch
        if not (batch.abandoned or lane.closed):
            batch.outcome = _outcome(engine, batch.windows)
        lane.running = None
        batch.done.set()


def _outcome(engine: Engine, windows: Sequence[Window]) -> list[Hypothesis] | Exception:
    try:
        return engine.run(windows)
    except SystemExit:
        return EngineError("the batch was interrupted: run its windows again")
    except Exception as error:
        return error


def _interrupt(thread: threading.Thread) -> None:
    """Raise SystemExit in a thread, when it next runs Python code; wherever it is, it ends."""
    raising = ctypes.pythonapi.PyThreadState_SetAsyncExc
    raising(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit))
