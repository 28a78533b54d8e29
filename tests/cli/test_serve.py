"""Which models the server is told to serve."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from quest22.cli.exits import Exit
from quest22.cli.serve import LEAST_PYTHON, ServerFlags
from quest22.errors import UsageError
from tests.support.schemas import check_lines


def test_models_have_short_names_or_those_that_are_given() -> None:
    flags = ServerFlags(model=["base", "org/whisper-ours", "mine=some/folder"])
    assert flags.served() == {
        "base": "base",
        "whisper-ours": "org/whisper-ours",
        "mine": "some/folder",
    }


@pytest.mark.parametrize("second", ["base", "other/base", "base=some/folder"])
def test_two_models_of_one_name_are_refused(second: str) -> None:
    with pytest.raises(UsageError, match="two models are called base"):
        ServerFlags(model=["org/base", second]).served()


@pytest.mark.skipif(sys.version_info < LEAST_PYTHON, reason="the server needs a newer Python")
def test_an_error_is_a_line_of_json_too(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "quest22", "serve", "--port", "0", "--log", "json")
    ended = subprocess.run(
        [*command, "-m", tmp_path / "no-model"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == Exit.NOTHING_DONE, ended.stderr
    assert check_lines("server-log", ended.stderr.splitlines()) >= 1
    assert ended.stderr.count('"level": "error"') == ended.stderr.count("cannot be loaded") == 1
