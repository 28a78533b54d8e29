from __future__ import annotations

import pytest

from quest22.cli.exits import Exit, exit_for, run_guarded
from quest22.errors import CheckpointError, MissingExtraError, SinkError, UsageError


def _raise(error):
    raise error


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UsageError("no such flag"), Exit.USAGE, "quest22: error: no such flag"),
        (MissingExtraError("S3", "s3"), Exit.USAGE, "pip install 'quest22[s3]'"),
        (CheckpointError("two\nlines"), Exit.NOTHING_DONE, "quest22: error: two lines"),
        (SinkError("disk is full"), Exit.NOTHING_DONE, "quest22: error: disk is full"),
        (ZeroDivisionError("x"), Exit.NOTHING_DONE, "unexpected ZeroDivisionError: x; run again"),
        (KeyboardInterrupt(), Exit.INTERRUPTED, "quest22: interrupted"),
    ],
)
def test_an_error_is_one_line_and_a_code(capsys, error, code, line):
    assert run_guarded(lambda: _raise(error), debug=False) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert line in err


def test_debug_adds_the_trace(capsys):
    run_guarded(lambda: _raise(SinkError("disk is full")), debug=True)
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(("result", "code"), [(None, 0), (0, 0), (Exit.SOME_FAILED, 3)])
def test_what_a_command_gives_is_the_code(result, code):
    assert run_guarded(lambda: result, debug=False) == code


@pytest.mark.parametrize(
    ("transcripts", "failures", "code"),
    [
        (3, 0, Exit.DONE),
        (0, 0, Exit.DONE),
        (3, 1, Exit.SOME_FAILED),
        (0, 1, Exit.NOTHING_DONE),
    ],
)
def test_exit_codes_of_runs(transcripts, failures, code):
    assert exit_for(transcripts, failures) is code


def test_a_trace_shows_no_secrets(capsys):
    def fail():
        raise ValueError(f"400, url='https://me:{secret}@h/a?sig={secret}'")

    secret = "hush" * 2

    assert run_guarded(fail, debug=True) == 1
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert secret not in shown
