"""Shows a run's events as they happen, and returns the exit code of the command."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from quest22.cli.exits import Exit, drop_standard_output, exit_for, say
from quest22.cli.figures import files_with_open_end
from quest22.cli.output_flags import ReportFlags
from quest22.cli.progress import EventDisplay, RunInfo
from quest22.cli.report import left_out_lines, level_lines, missing_lines, reason_lines, summarise
from quest22.cli.stats import write_stats
from quest22.runs.events import (
    AlreadyFinished,
    LeftOutDone,
    ModelLoaded,
    ModelLoading,
    NothingToRetry,
    OnEvent,
    OutputsEdited,
    Published,
    ResultReady,
    Resumable,
    Resuming,
    RetryFinished,
    RunEvent,
    RunFinished,
    ShardsTakenOver,
    WritingEnded,
)
from quest22.runs.figures import Figures
from quest22.runs.progress_lines import clip_count, position
from quest22.runs.shards import shard_counts
from quest22.runs.summary import RunStats, RunSummary
from quest22.runtime.progress import ClipProgress
from quest22.settings.quantities import hours


class RunReporter:
    """Reports a run: its display and summary on standard error, and its statistics file.

    ``info.title`` says what is transcribed; the model is added once it is loaded. ``folder`` is
    shown at the end.
    """

    def __init__(self, report: ReportFlags, info: RunInfo, folder: Path | None = None) -> None:
        self.interrupted = False
        self._report = report
        self._info = info
        self._folder = folder
        self._display = EventDisplay(info, quiet=report.quiet)
        self._at: ClipProgress | None = None  # the clip whose result comes next
        self._results = 0
        self._resumed = False
        self._nothing_to_do = False

    def __call__(self, event: RunEvent) -> None:
        self._display(event)
        match event:
            case ModelLoading():
                if sys.stderr.isatty():
                    self._say(f"loading {event.model} …")
            case ModelLoaded():
                model = f"{_model_title(event)} ({_format_and_place(event)})"
                info = replace(self._info, title=f"{self._info.title} → {model}")
                self._display = EventDisplay(info, quiet=self._report.quiet)
            case WritingEnded():
                self._end(event)
            case ClipProgress():
                self._progressed(event)
            case ResultReady():
                self._at, self._resumed = None, False
                self._results += 1
            case Resumable() if self._at is not None:
                self._say(stopped_line(self._at, event.results, kept=True))
            case _:
                self._resumed = self._resumed or isinstance(event, Resuming)
                if isinstance(event, LeftOutDone):
                    self._nothing_to_do = event.remaining == 0
                for line in event_lines(event):
                    self._say(line)

    def _progressed(self, progress: ClipProgress) -> None:
        if not progress.leading:
            return
        if self._resumed:
            self._say(f"going on from {position(progress)} of {progress.name}")
        self._at, self._resumed = progress, False

    def _end(self, event: WritingEnded) -> None:
        code = exit_of(event)
        self.interrupted = code is Exit.INTERRUPTED
        if self.interrupted:
            say_interrupted(event.stats)
            if self._at is not None and self._folder is None:
                self._say(stopped_line(self._at, self._results, kept=False))
        if self._report.stats_json is not None:
            write_stats(self._report.stats_json, event.metrics, event.stats, code)
        if self._report.quiet or (event.error is not None and not self.interrupted):
            return
        if self._nothing_to_do:
            return
        ending = "stopped" if self.interrupted else "done"
        figures = Figures.of(event.metrics)
        summarise(figures, event.stats.scores, ending, verbose=self._report.verbose)
        for line in [*reason_lines(event.stats.reasons), *missing_lines(event.stats)]:
            say(line)
        if self._folder is not None:
            say(f"results are in {self._folder}")
        for line in [*left_out_lines(event.stats.left_out), *level_lines(figures)]:
            say(line)

    def _say(self, text: str) -> None:
        if not self._report.quiet:
            say(text)


def _model_title(event: ModelLoaded) -> str:
    """``base from openai/whisper-base``; a folder without those it lies in."""
    name = Path(event.checkpoint_name).name
    return f"{name} from {event.origin}" if event.origin else name


def _format_and_place(event: ModelLoaded) -> str:
    """``bfloat16``, and the devices if there are several."""
    return " on ".join([event.compute_type, *filter(None, [", ".join(event.devices)])])


class Reporter(Protocol):
    """Shows events; ``interrupted`` once it has said that the run was."""

    interrupted: bool

    def __call__(self, event: RunEvent) -> None: ...


def follow(call: Callable[[OnEvent], RunSummary], reporter: Reporter) -> Exit:
    """Perform a run under a reporter; returns the exit code of the command."""
    try:
        return exit_after(lambda: call(reporter))
    except KeyboardInterrupt:
        if not reporter.interrupted:  # before any result: not reported yet
            raise
        return Exit.INTERRUPTED


def exit_after(call: Callable[[], RunSummary | RunStats]) -> Exit:
    """The exit code of a call that writes results, also if standard output is closed early."""
    try:
        counts = call()
    except BrokenPipeError:  # here, as Click would end the process with 1
        drop_standard_output()
        return Exit.READER_GONE
    accepted = counts.finished if isinstance(counts, RunSummary) else counts.accepts_missing
    return exit_for(counts.transcripts, counts.failures, counts.open_ends, accepted=accepted)


def exit_of(event: WritingEnded) -> Exit:
    """The exit code for the results of this process."""
    match event.error:
        case None:
            stats, accepted = event.stats, event.stats.accepts_missing
            return exit_for(stats.transcripts, stats.failures, stats.open_ends, accepted=accepted)
        case KeyboardInterrupt():
            return Exit.INTERRUPTED
        case BrokenPipeError():
            return Exit.READER_GONE
    return Exit.NOTHING_DONE


def say_interrupted(stats: RunStats) -> None:
    """Say that the run was interrupted, and what it has written."""
    say(f"interrupted; {stats.transcripts:,} transcripts were written")


def event_lines(event: RunEvent) -> list[str]:
    """The lines that report an event of a run into a folder; none for most events."""
    lines = []
    match event:
        case ShardsTakenOver():
            shards = shard_counts(event.num_shards)
            lines = [f"continuing with the rows that {shards} left in {event.folder}"]
        case OutputsEdited():
            lines = list(event.findings)
        case Resuming():
            after = f" after {clip_count(event.results)}" if event.results else ""
            lines = [f"continuing{after} in {event.folder}"]
        case LeftOutDone():
            lines = done_lines(event)
        case Resumable():
            lines = [f"repeat the command to continue after {clip_count(event.results)}"]
        case Published():
            again = f" ({event.retries} requests were retried)" if event.retries else ""
            lines = [f"the dataset is at {event.url}{again}"]
        case _:
            lines = _ended_lines(event)
    return lines


def _ended_lines(event: RunEvent) -> list[str]:
    lines = []
    match event:
        case RunFinished():
            lines = [f"total: {_counts(event)}"] if event.resumed else []
            lines += going_on_lines(event.folder, event.open_ends)
        case AlreadyFinished():
            lines = [f"already finished: {_counts(event)}; start over with --restart"]
            lines += going_on_lines(event.folder, event.open_ends, accepted=True)
            if event.failures or event.open_ends:
                lines.append(f"run the failed clips again with: quest22 retry {event.folder}")
        case RetryFinished():
            failed = f"{event.failures:,} still fail" if event.failures else "no failures left"
            lines = [f"{clip_count(event.transcripts)} transcribed now, {failed}"]
            lines += going_on_lines(event.folder, event.open_ends, accepted=event.accepted)
        case NothingToRetry():
            lines = [f"nothing to retry: {clip_count(event.transcripts)}, none failed"]
    return lines


def going_on_lines(folder: Path, open_ends: int, *, accepted: bool = False) -> list[str]:
    """What is missing of a run that is not complete, and how to go on unless that is accepted."""
    if not open_ends:
        return []
    missing = files_with_open_end(open_ends)
    if accepted:
        return [f"without what is missing: {missing}"]
    again = f"quest22 retry {folder}"
    return [
        f"the run is not complete: {missing}",
        f"to read on from there repeat the command, or run {again}",
        f"to finish without what is missing: {again} --accept-missing",
    ]


def done_lines(event: LeftOutDone) -> list[str]:
    """What an earlier run into the folder has done."""
    files = "1 file is" if event.files == 1 else f"{event.files:,} files are"
    lines = [f"{files} done already in {event.folder}; --overwrite transcribes again"]
    if event.edited:
        more = f" and {len(event.edited) - 1} more" if len(event.edited) > 1 else ""
        lines.append(f"{event.edited[0]}{more} was changed since: kept as it is")
    return lines


def _counts(event: RunFinished | AlreadyFinished) -> str:
    failed = f" and {event.failures:,} failed" if event.failures else ""
    return f"{clip_count(event.transcripts)}{failed} · {hours(event.audio_s)} of audio"


def stopped_line(at: ClipProgress, done: int, *, kept: bool) -> str:
    """Where a run was stopped, and how to go on; ``kept``: the same command does."""
    after = f"after {clip_count(done)}, " if done else ""
    then = (
        "the same command goes on from there"
        if kept
        else "with -o FOLDER, the same command would go on from there"
    )
    return f"stopped {after}at {position(at)} of {at.name}; {then}"
