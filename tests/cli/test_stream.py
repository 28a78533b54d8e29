"""``quest22 stream`` into a folder: what it says of a run, and how it ends."""

from __future__ import annotations

import pytest

from quest22.cli.exits import Exit
from quest22.cli.stream import repeatable_command
from quest22.errors import TooManyFailuresError
from quest22.runs.journal import Journal
from tests.runs.dying import DyingPipeline
from tests.torture.rows import write_rows
from tests.torture.worker import RunSpec


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_rows(folder, 15)
    return folder


def test_an_interrupted_run_continues_with_the_same_command(data, tmp_path, capsys):
    assert RunSpec(data, tmp_path, load=DyingPipeline).command() is Exit.INTERRUPTED
    done = Journal.read(tmp_path).progress.results
    lines = capsys.readouterr().err.splitlines()
    assert lines[-2] == f"quest22: results are in {tmp_path}"
    assert lines[-1].startswith("quest22: repeat the command to continue after")
    assert RunSpec(data, tmp_path).command() is Exit.SOME_FAILED
    said = capsys.readouterr().err
    assert f"continuing after {done} clip" in said
    assert "total: 12 clips and 3 failed" in said


def test_a_finished_run_says_so(data, tmp_path, capsys):
    assert RunSpec(data, tmp_path).command() is Exit.SOME_FAILED
    assert RunSpec(data, tmp_path).command() is Exit.SOME_FAILED
    assert "already finished: 12 clips and 3 failed" in capsys.readouterr().err


@pytest.mark.parametrize("flags", [("--on-error", "stop"), ("--max-failures", "0")])
def test_flags_say_how_many_clips_may_fail(model, data, tmp_path, run, flags):
    files = ("--data-files", f"{data}/*.parquet")
    ended = run("stream", "parquet", "-m", model, *files, "-o", tmp_path / "out", *flags)
    assert ended.code == Exit.NOTHING_DONE
    assert "stopped at" in ended.err
    assert "a clip failed" in ended.err


def test_a_run_that_stops_at_a_failure_continues(data, tmp_path, capsys):
    with pytest.raises(TooManyFailuresError):
        RunSpec(data, tmp_path, changes={"max_failures": 2}).command()
    assert "repeat the command to continue after" in capsys.readouterr().err
    assert RunSpec(data, tmp_path).command() is Exit.SOME_FAILED


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["stream", "a b", "--token", "hf_x", "-o", "out"], "quest22 stream 'a b' -o out"),
        (["stream", "d", "--token=hf_x", "--restart"], "quest22 stream d"),
    ],
)
def test_a_command_is_repeated_without_secrets(arguments, command):
    assert repeatable_command(arguments) == command
