"""``quest22 stream … --cluster``: its flags, and what it shows of all workers together."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.text import Text

from quest22.cli.exits import say
from quest22.cli.flag_groups import FlagGroup, flag_group
from quest22.cli.output_flags import ReportFlags
from quest22.cli.progress import BAR_WIDTH, PLAIN_INTERVALS_S
from quest22.errors import UsageError
from quest22.runs.events import (
    ClusterEnded,
    ClusterNote,
    ClusterProgress,
    ClusterPublished,
    ModelLoaded,
    ModelLoading,
    PlanReady,
    RunEvent,
)
from quest22.runs.progress_lines import (
    clip_count,
    published_line,
    times_real_time,
    work_count,
)
from quest22.settings.cluster import (
    ClusterPlanSettings,
    ClusterRunSettings,
    ClusterWorkSettings,
)
from quest22.settings.option import options_of
from quest22.settings.quantities import hours

GROUPS = (ClusterRunSettings, ClusterPlanSettings, ClusterWorkSettings)


@flag_group(*GROUPS, without=("store", "unit_format"))
class ClusterFlags(FlagGroup):
    """Whether and how a run is done by the workers of a cluster."""

    def of_cluster(self) -> dict[str, Any] | None:
        """These flags as options of Python; None for a run without a cluster.

        Raises :class:`UsageError` for flags of a cluster without one, and for values that cannot be
        read.
        """
        options = self.options(*GROUPS)
        if options["cluster"] is not None:
            return options
        for each in (each for group in GROUPS for each in options_of(group)):
            if options.get(each.name, each.default) != each.default:
                raise UsageError(
                    f"{each.flags[0]} is about a cluster: name it, such as with --cluster local"
                )
        return None


class ClusterReporter:
    """Reports a run on a cluster on standard error: live lines on a terminal, else plain ones."""

    def __init__(self, report: ReportFlags, title: str, console: Console | None = None) -> None:
        self.interrupted = False
        self._report = report
        self._title = title
        self._console = console or Console(stderr=True, highlight=False)
        self._live: _LiveLines | None = None
        self._told_at = 0.0
        self._began = time.monotonic()
        self._failed_before: tuple[int, int] | None = None

    def __call__(self, event: RunEvent) -> None:
        match event:
            case ModelLoading() if sys.stderr.isatty():
                self._say(f"loading {event.model} …")
            case ModelLoaded():
                self._title = f"{self._title} → {event.checkpoint_name} ({event.compute_type})"
            case PlanReady():
                told = "planned" if event.is_new else "continuing the plan"
                self._say(f"{told}: {work_count(event.units, event.files)}")
                self._say(f"other machines may help: quest22 work {event.store}")
            case ClusterNote():
                self._say(event.text)
            case ClusterPublished():
                self._published(event)
            case ClusterProgress():
                self._progressed(event)
            case ClusterEnded():
                self._ended(event)
            case _:
                pass

    def _progressed(self, progress: ClusterProgress) -> None:
        if self._report.quiet:
            return
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            if self._live is None:
                self._live = _LiveLines(self._title, self._console)
                self._live.__enter__()
            self._live.show(progress)
            return
        shortest_s, longest_s = PLAIN_INTERVALS_S
        now = time.monotonic()
        if now - self._told_at >= min(longest_s, max(shortest_s, (now - self._began) / 10)):
            self._told_at = now
            say(progress_line(progress))

    def _published(self, event: ClusterPublished) -> None:
        has = published_line(event.transcripts, event.failures, event.units, event.planned)
        self._say(f"published: {has}")
        if event.finished:
            self._say(f"the dataset is at {event.url}")

    def _ended(self, event: ClusterEnded) -> None:
        if self._live is not None:
            self._live.__exit__(None, None, None)
            self._live = None
        self.interrupted = event.interrupted
        last = event.last
        left = last.units - last.published - last.failed
        self._say(f"{'stopped' if left else 'done'}: {_done(last)}")
        if left:
            self._say(f"{_units(left)} left: repeat the command, or quest22 work {event.store}")
        else:
            self._say(f"results are in {event.store}/data")
            if last.failures or last.failed:
                self._say(f"run what failed again with: quest22 retry {event.store}")

    def _say(self, text: str) -> None:
        if not self._report.quiet:
            say(text)


class _LiveLines:
    """A few lines at the foot of the terminal that follow all workers."""

    def __init__(self, title: str, console: Console) -> None:
        self._title = title
        self._width = min(console.width - 2, BAR_WIDTH)
        self._spinner = Spinner("dots", style="cyan")
        self._live = Live(console=console, refresh_per_second=5, transient=True)

    def __enter__(self) -> _LiveLines:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def show(self, progress: ClusterProgress) -> None:
        """Show this from now on."""
        self._live.update(self._lines(progress))

    def _lines(self, progress: ClusterProgress) -> RenderableType:
        ended = (progress.published + progress.failed) / max(progress.units, 1)
        self._spinner.update(text=Text(progress_line(progress), no_wrap=True))
        return Group(
            Text(self._title, style="bold", no_wrap=True, overflow="ellipsis"),
            Padding(ProgressBar(total=1.0, completed=ended, width=self._width), (0, 2)),
            self._spinner,
        )


def progress_line(progress: ClusterProgress) -> str:
    """``12 of 340 units · 4,512 clips (3 failed) · 3.41 h of audio · 84× real time · …``."""
    parts = [_done(progress)]
    if progress.speed:
        parts.append(times_real_time(progress.speed))
    parts.append(_workers(progress))
    if progress.left_s:
        parts.append(f"{hours(progress.left_s)} left")
    return " · ".join(parts)


def _done(progress: ClusterProgress) -> str:
    ended = progress.published + progress.failed
    failed = f" ({progress.failed:,} failed)" if progress.failed else ""
    rows = f" ({progress.failures:,} failed)" if progress.failures else ""
    units = f"{ended:,} of {_units(progress.units)}{failed}"
    return (
        f"{units} · {clip_count(progress.transcripts)}{rows} · {hours(progress.audio_s)} of audio"
    )


def _workers(progress: ClusterProgress) -> str:
    number = progress.workers
    told = "1 worker" if number == 1 else f"{number:,} workers"
    others = [
        f"{count:,} {doing}"
        for count, doing in ((progress.opening, "starting"), (progress.waiting, "waiting to start"))
        if count
    ]
    return f"{told} ({', '.join(others)})" if others else told


def _units(count: int) -> str:
    return "1 unit" if count == 1 else f"{count:,} units"
