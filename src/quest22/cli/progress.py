"""Shows the progress of a run on standard error, apart from its results.

A few live lines on a terminal, one short line every few seconds in a pipe, or nothing.
"""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Literal, Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.text import Text

from quest22.cli.exits import say
from quest22.cli.figures import PART_NAMES, length
from quest22.metrics import Metrics
from quest22.records import Failure, Transcript
from quest22.runs.events import ResultReady, ResultsEnded, ResultsStarted, RunEvent
from quest22.runs.figures import Figures
from quest22.runs.left_out import lacks_text, seconds_by_reason
from quest22.runs.progress_lines import progress_line
from quest22.runtime.progress import ClipProgress
from quest22.settings.quantities import hours

PLAIN_INTERVALS_S = (5.0, 60.0)
"""Seconds between lines: five at first, longer in a long run, at most a minute."""

CLIPS_SHOWN = 20
BAR_WIDTH = 60


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What a display shows of a run: a title, and the expected number of clips.

    ``texts`` says which texts a terminal shows: all of them under a heading, only the last one, or
    none. ``failures_in_file`` means that failures are also written to a file.
    """

    title: str
    total: int | None = None
    texts: Literal["headed", "last", "none"] = "last"
    failures_in_file: bool = False


class Display(Protocol):
    """Shows a run's progress. ``before`` is called with each result just before it is written."""

    def __enter__(self) -> Display: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def before(self, result: Transcript | Failure) -> None: ...

    def progressed(self, progress: ClipProgress) -> None:
        """The clip whose result comes next has advanced."""
        ...


class _ClipLines:
    """Prints a line for each clip in trouble; with ``rest``, only up to a number of lines."""

    def __init__(self, rest: str = "") -> None:
        self._shown = 0
        self._rest = rest

    def say(self, line: str) -> None:
        self._shown += 1
        if self._shown <= CLIPS_SHOWN or not self._rest:
            say(line)
        elif self._shown == CLIPS_SHOWN + 1:
            say(self._rest)


class _Troubles:
    """Says which clips failed, and which have no text."""

    def __init__(self, info: RunInfo) -> None:
        self._failures = _ClipLines("more failures are in failures.jsonl" * info.failures_in_file)
        self._without_text = _ClipLines("more clips have no text; they are counted at the end")

    def say(self, result: Transcript | Failure) -> None:
        if isinstance(result, Failure):
            self._failures.say(failure_line(result))
        elif lacks_text(result):
            self._without_text.say(without_text_line(result))


class SilentDisplay:
    """Shows nothing except failures that are not written to a file."""

    def __init__(self, info: RunInfo) -> None:
        self._says_failures = not info.failures_in_file

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *_: object) -> None:
        """Does nothing: nothing was started."""

    def before(self, result: Transcript | Failure) -> None:
        if isinstance(result, Failure) and self._says_failures:
            say(failure_line(result))

    def progressed(self, progress: ClipProgress) -> None:
        """Does nothing: nobody watches."""


class PlainDisplay:
    """A short line every few seconds, for pipes and log files; none for a single clip."""

    def __init__(
        self,
        info: RunInfo,
        metrics: Metrics,
        intervals_s: tuple[float, float] = PLAIN_INTERVALS_S,
    ) -> None:
        self._info = info
        self._metrics = metrics
        self._shortest_s, self._longest_s = intervals_s
        self._troubles = _Troubles(info)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="quest22-progress", daemon=True)

    def __enter__(self) -> Display:
        say(self._info.title)
        if self._info.total != 1:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def before(self, result: Transcript | Failure) -> None:
        self._troubles.say(result)

    def progressed(self, progress: ClipProgress) -> None:
        """Does nothing: a pipe gets texts when they are complete."""

    def _follow(self) -> None:
        wait_s = self._shortest_s
        while not self._ended.wait(wait_s):
            figures = Figures.of(self._metrics)
            say(f"{progress_line(figures, self._info.total)} · {hours(figures.elapsed_s)} elapsed")
            wait_s = min(self._longest_s, max(self._shortest_s, figures.elapsed_s / 10))


class LiveDisplay:
    """A few lines at the foot of the terminal that follow the run."""

    def __init__(self, info: RunInfo, metrics: Metrics, console: Console) -> None:
        self._info = info
        self._metrics = metrics
        self._console = console
        self._troubles = _Troubles(info)
        self._spinner = Spinner("dots", style="cyan")
        self._last = Text()
        self._at: ClipProgress | None = None
        self._headed = False
        self._live = Live(
            get_renderable=self._render,
            console=console,
            refresh_per_second=5,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
        )

    def __enter__(self) -> Display:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def before(self, result: Transcript | Failure) -> None:
        self._troubles.say(result)
        headed, self._headed, self._at = self._headed, False, None
        if isinstance(result, Failure):
            return
        if self._info.texts == "headed" and not headed:
            self._console.print(heading(result))
        elif self._info.texts == "last":
            self._show_last(result.text)

    def progressed(self, progress: ClipProgress) -> None:
        """Follow the clip; where texts are shown, its heading comes before its first words."""
        self._at = progress
        committed = progress.partial.committed
        if self._info.texts == "headed" and committed and not self._headed:
            self._headed = True
            language = f" · {committed[0].language}" if committed[0].language else ""
            self._console.print(Text(f"{progress.name}{language}", style="dim"))
        elif self._info.texts == "last" and committed:
            self._show_last(committed[-1].text + progress.partial.interim)

    def _show_last(self, text: str) -> None:
        self._last = Text(f"  {text.strip()}", "italic", no_wrap=True, overflow="ellipsis")

    def _render(self) -> RenderableType:
        figures = Figures.of(self._metrics)
        line = Text(progress_line(figures, self._info.total, self._at), no_wrap=True)
        self._spinner.update(text=line)
        title = Text(self._info.title, style="bold", no_wrap=True, overflow="ellipsis")
        last = [self._last] if self._last.plain else []
        return Group(title, *self._bar(figures), self._spinner, shares(figures), *last)

    def _bar(self, figures: Figures) -> list[RenderableType]:
        """A progress bar, if the number of clips, or the length of the only one, is known."""
        if not self._info.total:
            return []
        done = (figures.clips + figures.failures) / self._info.total
        if self._at is not None and self._at.duration_s:
            done += self._at.position_s / self._at.duration_s / self._info.total
        width = min(self._console.width - 2, BAR_WIDTH)
        return [Padding(ProgressBar(total=1.0, completed=done, width=width), (0, 2))]


def choose_display(
    info: RunInfo, metrics: Metrics, *, quiet: bool, console: Console | None = None
) -> Display:
    """Live on a terminal, plain in a pipe, silent with ``quiet``."""
    if quiet:
        return SilentDisplay(info)
    console = console or Console(stderr=True, highlight=False)
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveDisplay(info, metrics, console)
    return PlainDisplay(info, metrics)


class EventDisplay:
    """Shows a display from a run's :class:`ResultsStarted` to its :class:`ResultsEnded`."""

    def __init__(self, info: RunInfo, *, quiet: bool, console: Console | None = None) -> None:
        self._info = info
        self._quiet = quiet
        self._console = console
        self._display: Display | None = None

    def __call__(self, event: RunEvent) -> None:
        if isinstance(event, ResultsStarted):
            info = replace(self._info, total=event.total)
            self._display = choose_display(
                info, event.metrics, quiet=self._quiet, console=self._console
            )
            self._display.__enter__()
        elif self._display is None:
            return
        elif isinstance(event, ResultReady):
            self._display.before(event.result)
        elif isinstance(event, ClipProgress) and event.leading:
            self._display.progressed(event)
        elif isinstance(event, ResultsEnded):
            self._display.__exit__(None, None, None)


def failure_line(failure: Failure) -> str:
    """Which clip failed, and why."""
    return f"{failure.name}: not transcribed ({failure.stage}): {failure.reason}"


def without_text_line(transcript: Transcript) -> str:
    """Which clip has no text though there may be speech, and what to do."""
    dropped = seconds_by_reason(transcript.dropped)
    parts = [f"{length(seconds)} {reason}" for reason, seconds in dropped.items()]
    left_out = f" (left out: {', '.join(parts)})" if parts else ""
    return (
        f"{transcript.name}: no text for {length(transcript.duration_s)} of sound{left_out}: "
        "check --language and --prefix, or name a larger model with --model"
    )


def shares(figures: Figures) -> Text:
    """The shares of the engine thread's time, largest first."""
    shown = [(PART_NAMES[part], share) for part, share in figures.shares() if share >= 0.01]
    named = [f"{name} {share:.0%}" for name, share in shown]
    return Text("  " + " · ".join(named), style="dim", no_wrap=True)


def heading(transcript: Transcript) -> Text:
    """The dim line above a text on a terminal: name, language, length."""
    language = f" · {transcript.language}" if transcript.language else ""
    return Text(f"{transcript.name}{language} · {transcript.duration_s:.1f} s", style="dim")
