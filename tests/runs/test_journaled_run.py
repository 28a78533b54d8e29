"""Runs into a folder, with an engine that costs nothing: begun, stopped, continued, refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from quest22.errors import SinkError, SourceError, TooManyFailuresError, UsageError
from quest22.runs.events import (
    AlreadyFinished,
    ModelLoaded,
    ModelLoading,
    ResultReady,
    ResultsEnded,
    ResultsStarted,
    Resumable,
    Resuming,
    RunFinished,
    WritingEnded,
)
from quest22.runs.journal import Journal
from quest22.runs.run_status import run_status
from quest22.runs.store import LocalRunStore
from tests.runs.dying import DyingPipeline
from tests.torture.kills import differences, outputs
from tests.torture.rows import write_rows
from tests.torture.worker import RunSpec

DONE = (12, 3, True)
"""Transcripts and failures of the fifteen rows, and that they are all."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_rows(folder, 15)
    return folder


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """What an undisturbed run writes."""
    folder = tmp_path_factory.mktemp("whole") / "out"
    assert came_to(RunSpec(data, folder)) == DONE
    return outputs(folder)


def came_to(spec, on_event=lambda _: None):
    summary = spec.run(on_event)
    return summary.transcripts, summary.failures, summary.finished


def interrupted(data, folder):
    with pytest.raises(KeyboardInterrupt):
        RunSpec(data, folder, load=DyingPipeline).run()
    assert run_status(LocalRunStore(folder)).state == "interrupted"


def test_an_interrupted_run_continues(data, whole, tmp_path):
    events = []
    with pytest.raises(KeyboardInterrupt):
        RunSpec(data, tmp_path, load=DyingPipeline).run(events.append)
    done = Journal.read(tmp_path).progress.results
    assert events[-1] == Resumable(tmp_path, done)
    assert isinstance(events[-2].error, KeyboardInterrupt)
    events.clear()
    assert came_to(RunSpec(data, tmp_path), events.append) == DONE
    assert differences(whole, outputs(tmp_path)) == []
    assert events[2] == Resuming(tmp_path, done)
    finished = events[-1]
    assert isinstance(finished, RunFinished)
    assert (finished.transcripts, finished.failures, finished.resumed) == (12, 3, True)


def test_events_come_in_order(data, tmp_path):
    events = []
    summary = RunSpec(data, tmp_path).run(events.append)
    kinds = [type(event) for event in events]
    assert kinds[:3] == [ModelLoading, ModelLoaded, ResultsStarted]
    assert kinds[3:-3] == [ResultReady] * 15
    assert kinds[-3:] == [ResultsEnded, WritingEnded, RunFinished]
    assert events[1] == ModelLoaded("digest", "float32")
    assert summary.metrics is events[2].metrics
    assert sum(summary.reasons.values()) == 3
    assert summary.audio_s == events[-1].audio_s > 0


def test_a_callback_that_raises_leaves_a_run_that_continues(data, whole, tmp_path):
    seen = []

    def raising(event):
        seen.append(event)
        if len(seen) == 9:
            raise RuntimeError("a bug of the caller's")

    with pytest.raises(RuntimeError, match="a bug of the caller's"):
        RunSpec(data, tmp_path).run(raising)
    assert came_to(RunSpec(data, tmp_path)) == DONE
    assert differences(whole, outputs(tmp_path)) == []


def test_a_finished_run_needs_no_model(data, whole, tmp_path):
    assert came_to(RunSpec(data, tmp_path)) == DONE
    events = []
    heavy = RunSpec(data, tmp_path, load=lambda *_: pytest.fail("a model was loaded"))
    assert came_to(heavy, events.append) == DONE
    (event,) = events
    assert isinstance(event, AlreadyFinished)
    assert (event.transcripts, event.failures) == (12, 3)
    assert differences(whole, outputs(tmp_path)) == []


def test_other_settings_are_refused(data, tmp_path):
    interrupted(data, tmp_path)
    with pytest.raises(UsageError, match=r"dataset\.take was None and is 3"):
        RunSpec(data, tmp_path, dataset={"take": 3}).run()
    with pytest.raises(UsageError, match=r"output\.formats was"):
        RunSpec(data, tmp_path, changes={"formats": ("jsonl",)}).run()


def test_restart_begins_anew(data, whole, tmp_path):
    interrupted(data, tmp_path)
    (tmp_path / "transcripts-2.parquet").write_text("of an earlier run")
    assert came_to(RunSpec(data, tmp_path, changes={"restart": True})) == DONE
    assert differences(whole, outputs(tmp_path)) == []


def test_restart_leaves_no_caption_of_the_earlier_run(data, tmp_path):
    RunSpec(data, tmp_path).run()
    (tmp_path / "mine.srt").write_text("not ours")
    RunSpec(data, tmp_path, dataset={"take": 2}, changes={"restart": True}).run()
    left = [path.name for path in tmp_path.rglob("*.srt")]
    lines = (tmp_path / "transcripts.jsonl").read_text().splitlines()
    assert len(left) == len(lines) + 1 < 4
    assert "mine.srt" in left


def test_results_without_a_journal_are_not_replaced(data, tmp_path):
    (tmp_path / "transcripts.jsonl").write_text("{}\n")
    with pytest.raises(UsageError, match="--restart"):
        RunSpec(data, tmp_path).run()
    assert [path.name for path in tmp_path.iterdir()] == ["transcripts.jsonl"]


def test_another_dataset_in_its_place_is_noticed(tmp_path):
    write_rows(tmp_path / "data", 15)
    interrupted(tmp_path / "data", tmp_path / "out")
    write_rows(tmp_path / "data", 3)
    with pytest.raises(SourceError, match="has changed since the run"):
        RunSpec(tmp_path / "data", tmp_path / "out").run()


def test_a_lost_output_is_noticed(data, tmp_path):
    interrupted(data, tmp_path)
    (tmp_path / "transcripts.jsonl").unlink()
    with pytest.raises(SinkError, match="it is gone; put it back"):
        RunSpec(data, tmp_path).run()


@pytest.mark.parametrize("most", [0, 2])
def test_a_run_stops_at_a_failure_too_many(data, whole, tmp_path, most):
    with pytest.raises(TooManyFailuresError, match="stopped at"):
        RunSpec(data, tmp_path, changes={"max_failures": most}).run()
    assert run_status(LocalRunStore(tmp_path)).failures == most
    assert came_to(RunSpec(data, tmp_path)) == DONE
    assert differences(whole, outputs(tmp_path)) == []


def test_a_folder_is_written_by_one_run(data, tmp_path):
    with (
        LocalRunStore(tmp_path).lock(),
        pytest.raises(UsageError, match="another process is writing"),
    ):
        RunSpec(data, tmp_path).run()


def test_the_request_is_recorded_without_secrets(data, tmp_path):
    changes = {"command": "quest22 stream it"}
    RunSpec(data, tmp_path, dataset={"token": "secret"}, changes=changes).run()
    request = Journal.read(tmp_path).request
    assert request["command"] == "quest22 stream it"
    assert (request["batch_size"], request["replace"]) == (4, False)
    assert "secret" not in (tmp_path / ".quest22" / "journal.json").read_text()


def test_the_data_of_a_torture_is_as_bad_as_it_says(whole):
    assert Path("failures.jsonl").name in whole
    assert "transcripts.parquet" in whole
