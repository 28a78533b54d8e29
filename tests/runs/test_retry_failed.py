"""Failed clips run again: they come to their place in the outputs."""

from __future__ import annotations

import pytest

from quest22.errors import UsageError
from quest22.runs.events import NothingToRetry, Resumable, RetryFinished, RunFinished
from quest22.runs.retry_failed import retry, retry_all
from quest22.runs.run_status import status
from quest22.runs.store import LocalRunStore
from tests.runs.dying import DyingDigestPipeline
from tests.torture.kills import differences, outputs
from tests.torture.rows import write_rows
from tests.torture.worker import DigestPipeline, RunSpec


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("order", [{}, {"shuffle": True, "buffer_size": 4}])
def test_a_retry_puts_clips_in_their_place(tmp_path, finished, order):
    data, folder = tmp_path / "data", tmp_path / "out"
    write_rows(data, 15)
    spec = RunSpec(data, folder, load=DigestPipeline, dataset=order)
    if finished:
        spec.run()
    else:
        with pytest.raises(KeyboardInterrupt):
            RunSpec(data, folder, load=DyingDigestPipeline, dataset=order).run()
    failed = 3
    again = RunSpec(data, folder, load=DigestPipeline, retry=True)
    events = []
    assert again.run(events.append).failures == failed
    assert events[-1] == RetryFinished(folder, 0, failed)
    assert any(isinstance(event, RunFinished) for event in events) != finished
    assert status(folder).failures == failed
    write_rows(data, 15, healed=True)
    summary = again.run()
    assert (summary.failures, summary.stats.transcripts) == (0, failed)
    assert spec.run().failures == 0
    healed = RunSpec(data, tmp_path / "healed", load=DigestPipeline, dataset=order)
    assert healed.run().failures == 0
    assert differences(outputs(tmp_path / "healed"), outputs(folder)) == []
    events.clear()
    assert again.run(events.append).failures == 0
    assert events == [NothingToRetry(folder, 15)]


def test_an_interrupted_retry_goes_on(tmp_path):
    data, folder = tmp_path / "data", tmp_path / "out"
    write_rows(data, 40)
    spec = RunSpec(data, folder, load=DigestPipeline)
    failed = spec.run().failures
    assert failed >= 7
    write_rows(data, 40, healed=True)
    events = []
    with pytest.raises(KeyboardInterrupt):
        RunSpec(data, folder, load=DyingDigestPipeline, retry=True).run(events.append)
    assert events[-1] == Resumable(folder, events[-1].results)
    assert status(folder).failures == failed
    summary = RunSpec(data, folder, load=DigestPipeline, retry=True).run()
    assert (summary.transcripts, summary.failures) == (40, 0)


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(UsageError, match="no run in"):
        retry(LocalRunStore(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_shards_are_retried_one_after_the_other(tmp_path):
    data, folder = tmp_path / "data", tmp_path / "out"
    write_rows(data, 15, healed=True)
    for index in range(2):
        rows = {"num_shards": 2, "shard_index": index}
        RunSpec(data, folder, load=DigestPipeline, dataset=rows).run()
    events = []
    summary = retry_all(folder, on_event=events.append)
    assert (summary.transcripts, summary.failures, summary.finished) == (15, 0, True)
    assert [type(event) for event in events] == [NothingToRetry] * 2
