"""``quest22 status``: where a run into a folder stands, without loading or changing anything."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from quest22.cli.console import output_console
from quest22.cli.report import most_frequent
from quest22.cli.shards import runs_in
from quest22.errors import SinkError, UsageError
from quest22.runs.journal import JOURNAL, Journal, is_held
from quest22.settings.quantities import hours
from quest22.sink.build import FAILURES
from quest22.sink.run_counts import count_reason

REASONS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class RunStatus:
    """Where a run stands. ``state`` is ``running``, ``interrupted`` or ``finished``."""

    folder: str
    state: str
    transcripts: int
    failures: int
    audio_hours: float
    last_key: str | None
    written: str
    plan: Mapping[str, Any]
    failures_by_reason: Mapping[str, int]
    command: str | None

    @property
    def next_step(self) -> str:
        """What to do now, in words."""
        if self.state == "running":
            return "wait: a process is at work"
        if self.state == "finished":
            return f"quest22 retry {self.folder}" if self.failures else "nothing: all is done"
        return self.command or "repeat the run's command"


def status(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The run's --output-dir.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")] = False,
) -> int:
    """Tell where a run stands: what, how far, what failed, and how to go on.

    Of a folder with shards: of each of them, and of all together.
    """
    runs = [standing_of(run) for run in runs_in(folder) or [folder]]
    if len(runs) > 1 or runs[0].folder != str(folder):
        shown: Any = together(folder, runs)
        table = _shards_table(shown)
    else:
        shown = runs[0]
        table = _table(shown)
    if as_json:
        typer.echo(json.dumps(asdict(shown), ensure_ascii=False))
    else:
        output_console().print(table)
    return 0


@dataclass(frozen=True, slots=True)
class FolderStatus:
    """Where all shards of a folder stand; ``finished`` once all of one number of them are."""

    folder: str
    finished: bool
    transcripts: int
    failures: int
    audio_hours: float
    runs: tuple[RunStatus, ...]


def together(folder: Path, runs: Sequence[RunStatus]) -> FolderStatus:
    """The sums over the runs of a folder."""
    ended = Counter(run.plan["num_shards"] for run in runs if run.state == "finished")
    return FolderStatus(
        folder=str(folder),
        finished=any(count == number for number, count in ended.items()),
        transcripts=sum(run.transcripts for run in runs),
        failures=sum(run.failures for run in runs),
        audio_hours=round(sum(run.audio_hours for run in runs), 6),
        runs=tuple(runs),
    )


def standing_of(folder: Path) -> RunStatus:
    """Read a run's journal and failures. Raises :class:`UsageError` where there is no run."""
    journal = Journal.read(folder)
    if journal is None:
        raise UsageError(f"{folder} holds no run: name the --output-dir of quest22 stream")
    mark = journal.mark
    written = datetime.fromtimestamp((folder / JOURNAL).stat().st_mtime, timezone.utc)
    state = "finished" if mark.finished else "running" if is_held(folder) else "interrupted"
    return RunStatus(
        folder=str(folder),
        state=state,
        transcripts=mark.transcripts,
        failures=mark.failures,
        audio_hours=round(mark.audio_s / 3600, 6),
        last_key=mark.last.key if mark.last else None,
        written=written.isoformat(timespec="seconds"),
        plan=journal.plan,
        failures_by_reason=_reasons(folder, journal),
        command=journal.asked.get("command"),
    )


def _reasons(folder: Path, journal: Journal) -> dict[str, int]:
    left = int(journal.mark.sinks.get("failures", {}).get("bytes", 0))
    reasons: Counter[str] = Counter()
    if not left:
        return {}
    try:
        with (folder / FAILURES).open("rb") as lines:
            for line in lines:
                left -= len(line)
                if left < 0:
                    break
                failure = json.loads(line)
                count_reason(reasons, failure["stage"], failure["reason"])
    except (OSError, ValueError, KeyError) as exc:
        raise SinkError(f"cannot read {folder / FAILURES}: {exc}") from exc
    return dict(reasons.most_common())


def _shards_table(shown: FolderStatus) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("shard", "of", "state", "transcripts", "failures", "sound"):
        table.add_column(name, justify="left" if name == "state" else "right")
    for run in shown.runs:
        plan = run.plan
        table.add_row(f"{plan['shard_index']}", f"{plan['num_shards']}", *_sums(run, run.state))
    state = "finished" if shown.finished else "not finished"
    table.add_row("", "", *_sums(shown, state), style="bold")
    return table


def _sums(run: RunStatus | FolderStatus, state: str) -> list[str]:
    numbers = (f"{run.transcripts:,}", f"{run.failures:,}", hours(3600 * run.audio_hours))
    return [state, *numbers]


def _table(standing: RunStatus) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _lines(standing):
        table.add_row(name, value)
    return table


def _lines(standing: RunStatus) -> list[tuple[str, str]]:
    plan = standing.plan
    rows = (plan["dataset"], plan["config"], plan["split"], *plan["data_files"])
    settings = {name: plan[name] for name in ("language", "task", "timestamps") if plan[name]}
    if plan["num_shards"] > 1:
        settings["shard"] = f"{plan['shard_index']} of {plan['num_shards']}"
    told = Counter(standing.failures_by_reason)
    reasons = [
        ("" if place else "failed because", line)
        for place, line in enumerate(most_frequent(told, REASONS_SHOWN))
    ]
    return [
        ("run", f"{standing.folder}: {standing.state}"),
        ("source", " ".join(str(part) for part in rows if part)),
        ("revision", plan["dataset_revision"] or "not on the Hub"),
        ("model", f"{plan['model']} ({plan['compute_type']})"),
        ("model revision", plan["model_revision"] or f"weights {plan['weights'][:12]}"),
        ("settings", ", ".join(f"{name} {value}" for name, value in settings.items())),
        ("formats", ", ".join(plan["formats"])),
        ("transcripts", f"{standing.transcripts:,} ({hours(3600 * standing.audio_hours)})"),
        ("failures", f"{standing.failures:,}"),
        *reasons,
        ("last clip", standing.last_key or "none yet"),
        ("last written", standing.written),
        ("next", standing.next_step),
    ]
