"""Procedures that need windows decoded on their way, written as generators.

A procedure yields the windows it needs next and is sent their hypotheses, in order. That keeps a
decision and what follows from it in one place, although windows of many clips share a batch and
results come at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import TypeAlias, TypeVar

from quest22.records import Hypothesis, Window

Result = TypeVar("Result")
Procedure: TypeAlias = Generator[list[Window], list[Hypothesis], Result]


@dataclass(slots=True, eq=False)
class _Running:
    """A procedure that waits for the hypotheses of windows ``first`` and after."""

    procedure: Procedure[None]
    done: Callable[[], None]
    first: int = 0
    hypotheses: list[Hypothesis | None] = field(default_factory=list)


class Procedures:
    """The procedures of one clip; numbers their windows from 0."""

    def __init__(self) -> None:
        self._waiting: dict[int, _Running] = {}
        self._windows = 0

    @property
    def idle(self) -> bool:
        """Whether no procedure waits for a window."""
        return not self._waiting

    def start(self, procedure: Procedure[None], done: Callable[[], None]) -> list[Window]:
        """Start a procedure; return the windows to run. ``done`` is called at its end."""
        return self._advance(_Running(procedure, done), [])

    def add_result(self, window: Window, hypothesis: Hypothesis) -> list[Window]:
        """Pass a hypothesis to the procedure that waits for it; return the windows to run next."""
        running = self._waiting.pop(window.index)
        running.hypotheses[window.index - running.first] = hypothesis
        complete = [each for each in running.hypotheses if each is not None]
        return self._advance(running, complete) if len(complete) == len(running.hypotheses) else []

    def _advance(self, running: _Running, hypotheses: list[Hypothesis]) -> list[Window]:
        try:
            windows = next(running.procedure) if not hypotheses else (
                running.procedure.send(hypotheses)
            )  # fmt: skip
        except StopIteration:
            running.done()
            return []
        running.first, running.hypotheses = self._windows, [None] * len(windows)
        self._windows += len(windows)
        numbered = [replace(each, index=running.first + at) for at, each in enumerate(windows)]
        self._waiting |= {each.index: running for each in numbered}
        return numbered
