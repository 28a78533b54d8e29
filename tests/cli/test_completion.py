"""The scripts that teach a shell, and what they then ask for."""

import os
import subprocess
import sys

import pytest


def _quest22(*arguments, **environment):
    paths = os.pathsep.join(sys.path)
    return subprocess.run(
        [sys.executable, "-m", "quest22", *arguments],
        env={**os.environ, "PYTHONPATH": paths, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("shell", "sign"),
    [
        ("bash", "complete -o default -F _quest22_completion quest22"),
        ("zsh", "#compdef quest22"),
        ("fish", "complete --command quest22"),
        ("powershell", "Register-ArgumentCompleter"),
    ],
)
def test_the_script_of_a_shell(shell, sign):
    done = _quest22("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert sign in done.stdout


def test_an_unknown_shell(run):
    ended = run("completion", "tcsh")
    assert (ended.code, "'SHELL': 'tcsh' is not one of" in ended.err) == (2, True)


def test_commands_and_flags_are_completed():
    words = {"COMP_WORDS": "quest22 tra", "COMP_CWORD": "1"}
    assert "transcribe" in _quest22(_QUEST22_COMPLETE="complete_bash", **words).stdout
    words = {"COMP_WORDS": "quest22 transcribe --word-t", "COMP_CWORD": "2"}
    assert "--word-timestamps" in _quest22(_QUEST22_COMPLETE="complete_bash", **words).stdout
