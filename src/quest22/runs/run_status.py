"""The state of a run into a folder, without loading or changing anything."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from quest22.errors import SinkError
from quest22.runs.journal import Journal
from quest22.runs.plan import flat_plan
from quest22.runs.sealed import without_secrets
from quest22.runs.store import LocalRunStore, RunStore, existing_journal
from quest22.runs.summary import MISSING_SHOWN
from quest22.sink.build import FAILURES
from quest22.sink.files import read_lines
from quest22.sink.run_counts import count_reason

RunState: TypeAlias = Literal["running", "interrupted", "incomplete", "finished"]


@dataclass(frozen=True, slots=True)
class RunStatus:
    """The state of a run into a folder.

    It is ``incomplete`` until files with an open end are read, or the user does without.
    """

    folder: str
    state: RunState
    transcripts: Annotated[int, "Clips that were transcribed."]
    failures: Annotated[int, "Clips that could not be transcribed."]
    audio_hours: Annotated[float, "Hours of sound of the transcripts."]
    last_key: Annotated[str | None, "The last clip that was recorded."]
    written: Annotated[str, "When progress was last recorded: ISO 8601, UTC."]
    plan: Annotated[
        Mapping[str, Any], "Settings that determine the results, by the names of their flags."
    ]
    failures_by_reason: Annotated[Mapping[str, int], "Failed clips, by stage and reason."]
    command: Annotated[str | None, "Resumes the run; null if it was started from Python."]
    open_ends: Annotated[
        int,
        "Data files that could not be read to their end: an unknown number of clips is missing.",
    ] = 0
    missing: Annotated[
        tuple[str, ...], "Of which files clips are missing, after which rows, and why."
    ] = ()


@dataclass(frozen=True, slots=True)
class FolderStatus:
    """The state of all shards in a folder."""

    folder: str
    finished: Annotated[bool, "All shards of one number are."]
    transcripts: Annotated[int, "Clips that were transcribed."]
    failures: Annotated[int, "Clips that could not be transcribed."]
    audio_hours: Annotated[float, "Hours of sound of the transcripts."]
    open_ends: Annotated[int, "Data files that could not be read to their end."]
    runs: Annotated[tuple[RunStatus, ...], "One for each shard."]


def status(folder: Path) -> RunStatus | FolderStatus:
    """The state of the run in a folder, or of each shard and all together.

    Raises:
        UsageError: There is no run.
        SinkError: Its failures cannot be read.
    """
    store = LocalRunStore(folder)
    runs = store.runs() or [store]
    if len(runs) == 1 and runs[0].folder == folder:
        return run_status(runs[0])
    return _together(folder, [run_status(each) for each in runs])


def run_status(store: RunStore) -> RunStatus:
    """The state of one run, from its journal and failures; raises as :func:`status` does."""
    journal = existing_journal(store)
    progress = journal.progress
    reasons, missing = _reasons(store.folder / FAILURES, journal)
    return RunStatus(
        folder=str(store.folder),
        state=_state(store, journal),
        transcripts=progress.transcripts,
        failures=progress.failures,
        audio_hours=round(progress.audio_s / 3600, 6),
        last_key=progress.last.key if progress.last else None,
        written=store.journal_written_at().isoformat(timespec="seconds"),
        plan=without_secrets(flat_plan(journal.plan)),
        failures_by_reason=reasons,
        command=journal.request.get("command"),
        open_ends=progress.open_ends,
        missing=missing,
    )


def _state(store: RunStore, journal: Journal) -> RunState:
    if journal.progress.complete:
        return "finished"
    if store.is_locked():
        return "running"
    return "incomplete" if journal.progress.finished else "interrupted"


def _together(folder: Path, runs: Sequence[RunStatus]) -> FolderStatus:
    finished = Counter(run.plan["num_shards"] for run in runs if run.state == "finished")
    return FolderStatus(
        folder=str(folder),
        finished=any(count == number for number, count in finished.items()),
        transcripts=sum(run.transcripts for run in runs),
        failures=sum(run.failures for run in runs),
        audio_hours=round(sum(run.audio_hours for run in runs), 6),
        open_ends=sum(run.open_ends for run in runs),
        runs=tuple(runs),
    )


def _reasons(path: Path, journal: Journal) -> tuple[dict[str, int], tuple[str, ...]]:
    """How many clips failed, by stage and reason, and why the first open ends are open."""
    size = int(journal.progress.sinks.get("failures", {}).get("bytes", 0))
    reasons: Counter[str] = Counter()
    if not size:
        return {}, ()
    missing: list[str] = []
    try:
        for line in read_lines(path, size):
            failure = json.loads(line)
            if not failure.get("open_end"):
                count_reason(reasons, failure["stage"], failure["reason"])
            elif len(missing) < MISSING_SHOWN:
                missing.append(failure["reason"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise SinkError(
            f"cannot read {path}: it is not as the run wrote it ({exc}): put it back, or start "
            "over with --restart"
        ) from exc
    return dict(reasons.most_common()), tuple(missing)
