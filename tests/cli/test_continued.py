"""Runs into a folder, with an engine that costs nothing: begun, stopped, continued, retried."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from quest22.cli.continued import perform_journaled, spoken_command

from quest22.cli.exits import Exit
from quest22.cli.output_options import OutputFlags, ReportFlags
from quest22.cli.retry import Retry
from quest22.cli.status import standing_of
from quest22.errors import SinkError, SourceError, TooManyFailuresError, UsageError
from quest22.runs.journal import Journal
from quest22.settings import EngineSettings
from tests.torture.kills import differences, outputs
from tests.torture.rows import write_rows
from tests.torture.worker import (
    FORMATS,
    DigestEngine,
    DigestJob,
    DigestStrategy,
    Errand,
    MixingJob,
)

QUIET = ReportFlags(quiet=True)


class DyingJob(MixingJob):
    """A job whose strategy is interrupted at the seventh clip."""

    class _Dying(DigestStrategy):
        opened = 0

        def open(self, clip):
            self.opened += 1
            if self.opened == 7:
                raise KeyboardInterrupt
            return super().open(clip)

    def __init__(self, settings, metrics):
        super().__init__(settings, metrics)
        self._strategy = self._Dying()


class DyingDigestJob(DyingJob):
    """The same, with results that are a window's alone: clips run again meet other neighbours."""

    engine = DigestEngine


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_rows(folder, 15)
    return folder


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """What an undisturbed run writes."""
    folder = tmp_path_factory.mktemp("whole") / "out"
    assert perform_journaled(Errand(data, folder).stream()) is Exit.SOME_FAILED
    return outputs(folder)


def stream(data, folder, load=MixingJob, order=None, **output):
    meant = Errand(data, folder, load=load).stream()
    meant = replace(meant, rows=replace(meant.rows, **(order or {})))
    flags = OutputFlags([FORMATS], folder, **output)
    report = ReportFlags()
    return replace(meant, work=replace(meant.work, output=flags, report=report))


def interrupted(data, folder, load=DyingJob, order=None):
    assert perform_journaled(stream(data, folder, load, order)) is Exit.INTERRUPTED
    assert standing_of(folder).state == "interrupted"


def test_an_interrupted_run_continues_with_the_same_command(data, whole, tmp_path, capsys):
    interrupted(data, tmp_path)
    done = Journal.read(tmp_path).mark.results
    assert "the same command continues after" in capsys.readouterr().err
    assert perform_journaled(stream(data, tmp_path)) is Exit.SOME_FAILED
    assert differences(whole, outputs(tmp_path)) == []
    said = capsys.readouterr().err
    assert f"continuing after {done} clip" in said
    assert "in all 12 clips and 3 failed" in said


def test_a_finished_run_says_so_without_a_model(data, whole, tmp_path, capsys):
    assert perform_journaled(stream(data, tmp_path)) is Exit.SOME_FAILED
    heavy = replace(stream(data, tmp_path), load=lambda *_: pytest.fail("a model was loaded"))
    assert perform_journaled(heavy) is Exit.SOME_FAILED
    assert "finished already: 12 clips and 3 failed" in capsys.readouterr().err
    assert differences(whole, outputs(tmp_path)) == []


def test_other_settings_are_refused(data, tmp_path):
    interrupted(data, tmp_path)
    other = stream(data, tmp_path)
    with pytest.raises(UsageError, match="take was None and is 3"):
        perform_journaled(replace(other, rows=replace(other.rows, take=3)))
    flags = replace(other.work, output=OutputFlags(["jsonl"], tmp_path))
    with pytest.raises(UsageError, match="formats was"):
        perform_journaled(replace(other, work=flags))


def test_restart_begins_anew(data, whole, tmp_path):
    interrupted(data, tmp_path)
    (tmp_path / "transcripts-2.parquet").write_text("of an earlier run")
    assert perform_journaled(stream(data, tmp_path, overwrite=True)) is Exit.SOME_FAILED
    assert differences(whole, outputs(tmp_path)) == []


def test_restart_leaves_no_caption_of_the_earlier_run(data, tmp_path):
    perform_journaled(stream(data, tmp_path))
    (tmp_path / "mine.srt").write_text("not ours")
    again = stream(data, tmp_path, overwrite=True)
    perform_journaled(replace(again, rows=replace(again.rows, take=2)))
    left = [path.name for path in tmp_path.glob("*.srt")]
    lines = (tmp_path / "transcripts.jsonl").read_text().splitlines()
    assert len(left) == len(lines) + 1 < 4
    assert "mine.srt" in left


def test_results_without_a_journal_are_not_replaced(data, tmp_path):
    (tmp_path / "transcripts.jsonl").write_text("{}\n")
    with pytest.raises(UsageError, match="--restart"):
        perform_journaled(stream(data, tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["transcripts.jsonl"]


def test_another_dataset_in_its_place_is_noticed(tmp_path):
    write_rows(tmp_path / "data", 15)
    interrupted(tmp_path / "data", tmp_path / "out")
    write_rows(tmp_path / "data", 3)
    with pytest.raises(SourceError, match="has changed since the run began"):
        perform_journaled(stream(tmp_path / "data", tmp_path / "out"))


def test_a_lost_output_is_noticed(data, tmp_path):
    interrupted(data, tmp_path)
    (tmp_path / "transcripts.jsonl").unlink()
    with pytest.raises(SinkError, match="restore the file"):
        perform_journaled(stream(data, tmp_path))


@pytest.mark.parametrize(
    ("flags", "failures"), [({"on_error": "stop"}, 0), ({"max_failures": 2}, 2)]
)
def test_a_run_stops_at_a_failure_too_many(data, whole, tmp_path, flags, failures):
    with pytest.raises(TooManyFailuresError, match="stopped at"):
        perform_journaled(stream(data, tmp_path, **flags))
    assert standing_of(tmp_path).failures == failures
    assert perform_journaled(stream(data, tmp_path)) is Exit.SOME_FAILED
    assert differences(whole, outputs(tmp_path)) == []


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("order", [{}, {"shuffle": True, "buffer_size": 4}])
def test_a_retry_puts_clips_in_their_place(tmp_path, finished, order):
    data, folder = tmp_path / "data", tmp_path / "out"
    write_rows(data, 15)
    if finished:
        perform_journaled(stream(data, folder, DigestJob, order))
    else:
        interrupted(data, folder, DyingDigestJob, order)
    failed = standing_of(folder).failures
    assert failed > 0
    again = Retry(folder, EngineSettings(), QUIET, DigestJob)
    assert again.perform() is Exit.SOME_FAILED
    assert standing_of(folder).failures == failed
    write_rows(data, 15, healed=True)
    assert again.perform() is Exit.DONE
    assert perform_journaled(stream(data, folder, DigestJob, order)) is Exit.DONE
    assert perform_journaled(stream(data, tmp_path / "healed", DigestJob, order)) is Exit.DONE
    assert differences(outputs(tmp_path / "healed"), outputs(folder)) == []
    assert again.perform() is Exit.DONE


def test_status_tells_what_failed_and_what_to_do(data, tmp_path, run):
    perform_journaled(stream(data, tmp_path))
    ended = run("status", tmp_path)
    assert ended.code == 0
    for part in ("finished", "digest", "12 (", f"quest22 retry {tmp_path}"):
        assert part in ended.out
    told = json.loads(run("status", tmp_path, "--json").out)
    assert (told["transcripts"], told["failures"]) == (12, 3)
    assert sum(told["failures_by_reason"].values()) == 3


@pytest.mark.parametrize("command", ["status", "retry"])
def test_a_folder_without_a_run(tmp_path, run, command):
    ended = run(command, tmp_path)
    assert ended.code == Exit.USAGE
    assert "holds no run" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_stats_tell_where_the_time_went(data, tmp_path):
    meant = stream(data, tmp_path / "out")
    report = ReportFlags(quiet=True, stats_json=tmp_path / "stats.json")
    perform_journaled(replace(meant, work=replace(meant.work, report=report)))
    told = json.loads((tmp_path / "stats.json").read_text())
    assert (told["clips"], told["failures"], told["exit_code"]) == (12, 3, 3)
    assert sum(told["engine_seconds"].values()) == pytest.approx(told["elapsed_s"], abs=0.01)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["stream", "a b", "--token", "hf_x", "-o", "out"], "quest22 stream 'a b' -o out"),
        (["stream", "d", "--token=hf_x", "--restart"], "quest22 stream d"),
    ],
)
def test_a_command_is_repeated_without_secrets(arguments, said):
    assert spoken_command(arguments) == said


def test_the_data_of_a_torture_is_as_bad_as_it_says(whole):
    assert Path("failures.jsonl").name in whole
    assert "transcripts.parquet" in whole
