"""Shows how far a run is, for callers in Python: ``progress=True``.

In a notebook it is a bar in the cell's output, which needs no widgets and stays there when the
notebook is saved. On a terminal it is a line at its foot, and elsewhere a line now and then.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator
from contextlib import closing
from html import escape
from typing import TYPE_CHECKING, Any, Protocol

from quest22.records import Failure, Transcript
from quest22.runs.events import OnEvent, ResultReady, ResultsEnded, ResultsStarted, RunEvent
from quest22.runs.figures import Figures
from quest22.runs.progress_lines import progress_line
from quest22.runtime.build import Run
from quest22.runtime.progress import ClipProgress, OnProgress

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

SHOWN_EVERY_S = 0.2
LINES_EVERY_S = (5.0, 60.0)
"""Seconds between lines where nobody may be watching: more in a long run."""

BAR_WIDTH = 24


class View(Protocol):
    """Where progress is shown: a line, and the share of 1 that is done; None if that is unknown."""

    @property
    def every_s(self) -> float:
        """Seconds for which what is shown stays as it is."""
        ...

    def show(self, line: str, share: float | None) -> None:
        """Show this in place of what was shown before."""
        ...

    def close(self) -> None:
        """Leave what was shown last."""
        ...


class ProgressReport:
    """Follows one run of ``total`` clips, if that is known; counts what it has seen of it.

    Its methods are called in the thread that takes the results.
    """

    def __init__(self, view: View, total: int | None = None) -> None:
        self.total = total
        self._view = view
        self._begun_s = time.monotonic()
        self._shown_s = float("-inf")
        self._at: ClipProgress | None = None
        self._clips = 0
        self._failures = 0
        self._audio_s = 0.0

    def begin(self) -> None:
        """The run begins now."""
        self._begun_s = time.monotonic()

    def progressed(self, at: ClipProgress) -> None:
        """A clip has advanced."""
        if at.leading:
            self._at = at
            self._show()

    def came(self, result: Transcript | Failure) -> None:
        """A result has come."""
        self._at = None
        if isinstance(result, Transcript):
            self._clips += 1
            self._audio_s += result.duration_s
        else:
            self._failures += 1
        self._show()

    def close(self) -> None:
        """The run has ended, for whatever reason."""
        self._at = None
        self._show(last=True)
        self._view.close()

    def _show(self, *, last: bool = False) -> None:
        now_s = time.monotonic()
        if last or now_s - self._shown_s >= self._view.every_s:
            self._shown_s = now_s
            line = progress_line(self._figures(now_s), self.total, self._at)
            self._view.show(line, self._share())

    def _figures(self, now_s: float) -> Figures:
        at_s = self._at.position_s if self._at is not None else 0.0
        return Figures(
            clips=self._clips,
            failures=self._failures,
            audio_s=self._audio_s,
            processed_s=self._audio_s + at_s,
            elapsed_s=now_s - self._begun_s,
            seconds={},
        )

    def _share(self) -> float | None:
        if not self.total:
            return None
        done = float(self._clips + self._failures)
        if self._at is not None and self._at.duration_s:
            done += self._at.position_s / self._at.duration_s
        return min(done / self.total, 1.0)


def followed(
    begin: Callable[[OnProgress], Run], total: int | None = None
) -> Generator[Transcript | Failure, None, None]:
    """The results of a run, which begins at once; shows how far it is while they are taken."""
    report = ProgressReport(choose_view())
    run = begin(report.progressed)
    report.total = run.total if total is None else total
    return _told(run, report)


def _told(run: Run, report: ProgressReport) -> Generator[Transcript | Failure, None, None]:
    report.begin()
    with closing(run), closing(report):
        for result in run:
            report.came(result)
            yield result


def with_progress(on_event: OnEvent) -> OnEvent:
    """A callback for the events of a run into a folder that also shows its progress."""
    report: ProgressReport | None = None

    def told(event: RunEvent) -> None:
        nonlocal report
        on_event(event)
        if isinstance(event, ResultsStarted):
            report = ProgressReport(choose_view(), event.total)
        elif report is not None and isinstance(event, ResultReady):
            report.came(event.result)
        elif report is not None and isinstance(event, ClipProgress):
            report.progressed(event)
        elif report is not None and isinstance(event, ResultsEnded):
            report.close()
            report = None

    return told


def choose_view() -> View:
    """A view for a notebook, a terminal, or a pipe."""
    if display := notebook_display():
        return NotebookView(display)
    return TerminalView() if sys.stderr.isatty() else LineView()


def notebook_display() -> Callable[..., Any] | None:
    """IPython's ``display``; None outside a notebook.

    IPython in a terminal has no kernel. Where it was never imported, there is no notebook.
    """
    ipython = sys.modules.get("IPython")
    if ipython is None or getattr(ipython.get_ipython(), "kernel", None) is None:
        return None
    from IPython.display import display

    shown: Callable[..., Any] = display
    return shown


class NotebookView:
    """A bar and a line in the output of a cell, as HTML; front ends without it show the line."""

    every_s = SHOWN_EVERY_S

    def __init__(self, display: Callable[..., Any]) -> None:
        self._display = display
        self._handle: Any = None

    def show(self, line: str, share: float | None) -> None:
        value = "" if share is None else f' value="{share:.4f}"'
        html = f'<progress max="1"{value} style="width: 16em"></progress> {escape(line)}'
        shown = {"text/plain": line, "text/html": html}
        if self._handle is None:
            self._handle = self._display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)

    def close(self) -> None:
        """Does nothing: the cell keeps its output."""


class TerminalView:
    """A bar and a line at the foot of a terminal."""

    every_s = SHOWN_EVERY_S

    def __init__(self) -> None:
        self._live: Live | None = None

    def show(self, line: str, share: float | None) -> None:
        if self._live is None:
            from rich.console import Console
            from rich.live import Live

            console = Console(stderr=True, highlight=False)
            self._live = Live(console=console, auto_refresh=False)
            self._live.start()
        self._live.update(_row(line, share), refresh=True)

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()


def _row(line: str, share: float | None) -> Table:
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    row = Table.grid(padding=(0, 1))
    text = Text(line, no_wrap=True, overflow="ellipsis")
    if share is None:
        row.add_row(text)
    else:
        row.add_row(ProgressBar(total=1.0, completed=share, width=BAR_WIDTH), text)
    return row


class LineView:
    """A line now and then, for pipes and log files; none for a run that is over before."""

    def __init__(self) -> None:
        self._begun_s = time.monotonic()
        self._is_first = True

    @property
    def every_s(self) -> float:
        shortest_s, longest_s = LINES_EVERY_S
        return min(longest_s, max(shortest_s, (time.monotonic() - self._begun_s) / 10))

    def show(self, line: str, share: float | None) -> None:
        if not self._is_first:  # which comes at once
            sys.stderr.write(f"quest22: {line}\n")
            sys.stderr.flush()
        self._is_first = False

    def close(self) -> None:
        """Does nothing: each line is whole."""
