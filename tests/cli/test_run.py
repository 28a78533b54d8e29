"""What is said of a run, and the exit code that a command ends with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from quest22.cli.exits import Exit
from quest22.cli.output_flags import ReportFlags
from quest22.cli.progress import RunInfo
from quest22.cli.run import RunReporter, event_lines, follow
from quest22.errors import SinkError
from quest22.metrics import Metrics
from quest22.records import Damage, DroppedSegment, Partial
from quest22.runs.events import (
    AlreadyFinished,
    ModelLoaded,
    NothingToRetry,
    Published,
    ResultReady,
    Resumable,
    Resuming,
    RetryFinished,
    RunFinished,
    ShardsTakenOver,
    WritingEnded,
)
from quest22.runs.summary import RunStats, RunSummary
from quest22.runs.write import write_results
from quest22.runtime.progress import ClipProgress
from tests.runs.test_write import ListSink, Results
from tests.support.results import failure, transcript

OUT = Path("out")
RESTART = "start over with --restart"


@pytest.mark.parametrize(
    ("event", "lines"),
    [
        (
            ShardsTakenOver(OUT, (2, 5)),
            ["continuing with the rows that 2 shards and 5 shards left in out"],
        ),
        (Resuming(OUT, 0), ["continuing in out"]),
        (Resuming(OUT, 1), ["continuing after 1 clip in out"]),
        (Resumable(OUT, 12), ["repeat the command to continue after 12 clips"]),
        (Published("https://hub/d", 0), ["the dataset is at https://hub/d"]),
        (
            Published("https://hub/d", 3),
            ["the dataset is at https://hub/d (3 requests were retried)"],
        ),
        (RunFinished(OUT, 12, 3, 90.0, resumed=False), []),
        (
            RunFinished(OUT, 12, 3, 90.0, resumed=True),
            ["total: 12 clips and 3 failed · 1.5 min of audio"],
        ),
        (
            AlreadyFinished(OUT, 12, 0, 90.0),
            ["already finished: 12 clips · 1.5 min of audio; start over with --restart"],
        ),
        (
            AlreadyFinished(OUT, 12, 3, 90.0),
            [
                f"already finished: 12 clips and 3 failed · 1.5 min of audio; {RESTART}",
                "run the failed clips again with: quest22 retry out",
            ],
        ),
        (RetryFinished(OUT, 2, 1), ["2 clips transcribed now, 1 still fail"]),
        (RetryFinished(OUT, 3, 0), ["3 clips transcribed now, no failures left"]),
        (NothingToRetry(OUT, 15), ["nothing to retry: 15 clips, none failed"]),
    ],
)
def test_what_is_said_of_an_event(event, lines, capsys):
    assert event_lines(event) == lines
    RunReporter(ReportFlags(), RunInfo("x"))(event)
    assert capsys.readouterr().err.splitlines() == [f"quest22: {line}" for line in lines]
    RunReporter(ReportFlags(quiet=True), RunInfo("x"))(event)
    assert capsys.readouterr().err == ""


def written(*results, sink=None, error=None):
    """A run that a command can follow."""

    def call(on_event):
        run = Results(*results, error=error)
        on_event(ModelLoaded("org/nano", "float32"))
        stats = write_results(run, sink or ListSink(), on_event)
        return RunSummary(stats.transcripts, stats.failures, 0.0, True, stats, run.metrics)

    return call


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([transcript("a"), transcript("b")], Exit.DONE),
        ([transcript("a"), failure("b"), transcript("c")], Exit.SOME_FAILED),
        ([failure("a")], Exit.NOTHING_DONE),
        ([], Exit.DONE),
    ],
)
def test_exit_codes(results, code):
    assert follow(written(*results), RunReporter(ReportFlags(quiet=True), RunInfo("x"))) is code


def test_a_run_is_shown_and_summed_up(capsys):
    reporter = RunReporter(ReportFlags(), RunInfo("talks"), OUT)
    follow(written(transcript("a"), failure("b"), failure("c")), reporter)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "quest22: talks → nano (float32)"
    assert lines[1] == "quest22: b: not transcribed (audio): no sound in it"
    assert lines[3].startswith("quest22: done: ")
    assert lines[-2:] == ["quest22: 2 × audio: no sound in it", "quest22: results are in out"]


def test_the_last_lines_tell_what_was_left_out(capsys):
    loop = DroppedSegment(0.0, 18.2, "loop", "et et et")
    silence = DroppedSegment(20.0, 212.0, "no speech")
    results = [
        transcript("a", dropped=(loop, silence)),
        transcript("b.wav", "", duration_s=18.2, dropped=(loop,), segments=()),
    ]
    code = follow(written(*results), RunReporter(ReportFlags(), RunInfo("talks"), OUT))
    lines = capsys.readouterr().err.splitlines()
    assert code is Exit.DONE
    assert lines[1] == (
        "quest22: b.wav: no text for 18 s of sound (left out: 18 s loop): check --language and "
        "--prefix, or name a larger model with --model"
    )
    assert lines[-2:] == [
        "quest22: 1 clip without text",
        "quest22: left out: 3 min 12 s no speech, 36 s loop",
    ]


def test_the_last_lines_tell_what_was_damaged(capsys, tmp_path):
    damage = (Damage(1.0, 3.5, "a hole"), Damage(9.0, 70.0, "the file ends early"))
    results = [transcript("a", damage=damage), transcript("b")]
    stats = tmp_path / "stats.json"
    follow(written(*results), RunReporter(ReportFlags(stats_json=stats), RunInfo("talks"), OUT))
    assert capsys.readouterr().err.splitlines()[-1] == (
        "quest22: 1 clip damaged: 1 min 4 s of sound missing"
    )
    told = json.loads(stats.read_text())
    assert (told["damaged_clips"], told["missing_s"]) == (1, 63.5)


def test_an_interruption_keeps_what_was_written(capsys, tmp_path):
    stats = tmp_path / "stats.json"
    reporter = RunReporter(ReportFlags(stats_json=stats), RunInfo("x"), OUT)
    call = written(transcript("a"), error=KeyboardInterrupt())
    assert follow(call, reporter) is Exit.INTERRUPTED
    lines = capsys.readouterr().err.splitlines()
    assert lines[1] == "quest22: interrupted; 1 transcripts were written"
    assert lines[2].startswith("quest22: stopped: ")
    assert lines[-1] == "quest22: results are in out"
    assert json.loads(stats.read_text())["exit_code"] == Exit.INTERRUPTED


AT = ClipProgress("talk.mp3", 200.0, 3730.0, Partial())


def test_within_a_recording_it_says_where_it_stopped(capsys):
    reporter = RunReporter(ReportFlags(), RunInfo("x"), OUT)
    for event in (Resuming(OUT, 0), AT, AT, Resumable(OUT, 2)):
        reporter(event)
    begun, going_on, stopped = capsys.readouterr().err.splitlines()
    assert begun == "quest22: continuing in out"
    assert going_on == "quest22: going on from 03:20 of 1:02:10 of talk.mp3"
    assert stopped == (
        "quest22: stopped after 2 clips, at 03:20 of 1:02:10 of talk.mp3; the same command goes on "
        "from there"
    )


def test_between_recordings_it_says_after_how_many(capsys):
    reporter = RunReporter(ReportFlags(), RunInfo("x"), OUT)
    for event in (AT, ResultReady(transcript("talk.mp3")), Resumable(OUT, 1)):
        reporter(event)
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "quest22: repeat the command to continue after 1 clip"


def test_without_a_folder_it_says_how_to_keep_more(capsys):
    reporter = RunReporter(ReportFlags(), RunInfo("x"))
    reporter(AT)
    reporter(WritingEnded(RunStats(), Metrics(), KeyboardInterrupt()))
    first, second, *_ = capsys.readouterr().err.splitlines()
    assert first == "quest22: interrupted; 0 transcripts were written"
    assert second == (
        "quest22: stopped at 03:20 of 1:02:10 of talk.mp3; with -o FOLDER, the same command would "
        "go on from there"
    )


def test_an_interruption_before_any_result_is_said_elsewhere(capsys):
    def call(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        follow(call, RunReporter(ReportFlags(), RunInfo("x")))
    assert capsys.readouterr().err == ""


def test_an_error_is_not_summed_up(capsys, tmp_path):
    stats = tmp_path / "stats.json"
    reporter = RunReporter(ReportFlags(stats_json=stats), RunInfo("x"), OUT)
    sink = ListSink("a", SinkError("disk is full"))
    with pytest.raises(SinkError):
        follow(written(transcript("a"), sink=sink), reporter)
    assert capsys.readouterr().err == "quest22: x → nano (float32)\n"
    assert json.loads(stats.read_text())["exit_code"] == Exit.NOTHING_DONE


def test_a_reader_that_went_away_is_not_told_anything(capsys, monkeypatch, tmp_path):
    dropped = []
    monkeypatch.setattr("quest22.cli.run.drop_standard_output", lambda: dropped.append(True))
    stats = tmp_path / "stats.json"
    reporter = RunReporter(ReportFlags(stats_json=stats), RunInfo("x"), OUT)
    sink = ListSink("a", BrokenPipeError())
    assert follow(written(transcript("a"), sink=sink), reporter) is Exit.READER_GONE
    assert dropped == [True]
    assert capsys.readouterr().err == "quest22: x → nano (float32)\n"
    assert json.loads(stats.read_text())["exit_code"] == Exit.READER_GONE
