"""``quest22 retry`` over shards: which are run, and the exit code."""

from __future__ import annotations

import pytest

from quest22.cli import retry as command
from quest22.cli.exits import Exit
from quest22.cli.output_flags import ReportFlags
from quest22.cli.retry import RetryFlags
from quest22.metrics import Metrics
from quest22.runs.events import NothingToRetry, WritingEnded
from quest22.runs.store import LocalRunStore
from quest22.runs.summary import RunStats, RunSummary
from quest22.settings import DatasetSettings


def summary(transcripts, failures):
    return RunSummary(transcripts, failures, 0.0, True, RunStats(), Metrics())


@pytest.fixture
def retried(tmp_path, monkeypatch):
    """Calls ``retry`` on shards whose retries come to these summaries; gives code and shards."""

    def call(*outcomes):
        store, shards = LocalRunStore(tmp_path), []
        for index in range(len(outcomes)):
            rows = DatasetSettings("d", num_shards=len(outcomes), shard_index=index)
            store.for_shard(rows).begin_journal({}, {})

        def retry_run(store, engine, on_event, addresses, stats):
            outcome = outcomes[len(shards)]
            shards.append(store.folder.name)
            if outcome is None:
                on_event(WritingEnded(RunStats(), Metrics(), KeyboardInterrupt()))
                raise KeyboardInterrupt
            on_event(NothingToRetry(store.folder, outcome.transcripts))
            return outcome

        monkeypatch.setattr(command, "retry_run", retry_run)
        code = command.retry.__wrapped__(RetryFlags(str(tmp_path)), ReportFlags(quiet=True))
        return code, len(shards)

    return call


@pytest.mark.parametrize(
    ("outcomes", "code", "runs"),
    [
        ([summary(3, 0), summary(2, 0)], Exit.DONE, 2),
        ([summary(3, 0), summary(2, 1)], Exit.SOME_FAILED, 2),
        ([summary(0, 1), summary(2, 1)], Exit.SOME_FAILED, 2),
        ([summary(3, 0), summary(0, 1)], Exit.NOTHING_DONE, 2),
        ([None, summary(3, 0)], Exit.INTERRUPTED, 1),
    ],
)
def test_the_worst_shard_decides_and_an_interruption_ends_all(retried, outcomes, code, runs):
    assert retried(*outcomes) == (code, runs)
