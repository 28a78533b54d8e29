"""A run that publishes a few results on the Hub's stand-in, in a process that may be killed.

The sink, the journal and the Hub's client are the real ones; results come from nowhere.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from quest22.errors import Quest22Error
from quest22.records import Failure, Origin, Transcript
from quest22.runs.journal import Journal, JournaledSink
from quest22.sink.build import Sinks
from quest22.sink.formats.jsonl import FailureSink
from quest22.sink.hub import row_files as rowfiles
from quest22.sink.hub.commit_files import HubTarget
from quest22.sink.hub.dataset_card import RunDescription
from quest22.sink.hub.hub_repository import HubRepository, HubSettings, RetryPolicy
from quest22.sink.hub.hub_sink import HubSink
from quest22.system.retry import Backoff
from tests.support.results import failure, transcript

FILE_ROWS = 4


@dataclass(frozen=True)
class Errand:
    """What is published: so many results, some of them failures, a commit every few."""

    folder: str
    repository: str = "org/out"
    results: int = 14
    commit_rows: int = 3
    private: bool = False
    token: str | None = "hf_w"
    restart: bool = False
    plan: str = "one"

    def settings(self) -> HubSettings:
        return HubSettings(self.repository, self.private, None, self.commit_rows, self.token)


def result(number: int) -> Transcript | Failure:
    """The result of that number; every fifth clip has failed, and types change on the way."""
    if number % 5 == 4:
        return replace(
            failure(f"clip-{number}"), origin=Origin("org/speech", "0123abc", "a", number)
        )
    columns: dict[str, Any] = {"speaker": number, "score": 1 if number < 6 else 0.5}
    if number > 8:
        columns |= {"topic": "news", "speaker": f"s{number}"}
    return transcript(f"clip-{number}", " one two", reference="one two three", columns=columns)


def publish(errand: Errand) -> str:
    """Publish what is not yet; gives the error's line, or nothing."""
    rowfiles.FILE_ROWS = FILE_ROWS
    folder = Path(errand.folder)
    try:
        repository = HubRepository.open(
            errand.settings(), RetryPolicy(2.0, Backoff(0.01, 0.1, (1.0, 1.25)))
        )
        journal = None if errand.restart else Journal.read(folder)
        journal = journal or Journal.begin(folder, _plan(errand))
        sink = JournaledSink(_sinks(errand, repository, journal), journal)
        for number in range(journal.progress.results, errand.results):
            sink.write(result(number))
            sink.publish()
        sink.complete()
    except Quest22Error as exc:
        return f"{type(exc).__name__}: {exc}"
    return ""


def _plan(errand: Errand) -> dict[str, Any]:
    known = {"dataset": "org/speech", "dataset_revision": "0123abc", "split": "test"}
    return {**known, "model": errand.plan, "quest22": "1", "language": "en"}


def _sinks(errand: Errand, repository: HubRepository, journal: Journal) -> Sinks:
    folder = Path(errand.folder)
    told = RunDescription(repository.name, journal.plan, "quest22 stream org/speech", "test")
    target = HubTarget(repository, told, folder / ".quest22" / "hub", folder / "failures.jsonl")
    kept = journal.progress.sinks
    hub = HubSink(target, errand.settings(), kept.get("hub"), replace=errand.restart)
    return Sinks({"failures": FailureSink(target.failures, kept.get("failures")), "hub": hub})


def main() -> None:
    """Carry out the errands of the first argument, one after the other; print their errors."""
    errands = [Errand(**each) for each in json.loads(sys.argv[1])]
    print(json.dumps([publish(errand) for errand in errands]))


if __name__ == "__main__":
    main()
