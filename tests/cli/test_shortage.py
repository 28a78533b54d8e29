"""Without memory to spend, a command ends with one line: no traceback, no crash, no hang."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from quest22.cli.exits import Exit
from tests.support.recordings import recordings
from tests.test_sounds import wav

resource = pytest.importorskip("resource")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="limits memory by RLIMIT_AS"),
]

MEGABYTES = (200, 250, 300, 400, 500, 600, 700, 800, 900, 1000, 1100, 1200, 1300, 1500)


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("talk") / "talk.wav"
    path.write_bytes(wav(recordings("en", 1, longest_s=6.0)[0]))
    return path


@pytest.mark.parametrize("megabytes", MEGABYTES)
def test_one_line(talk: Path, megabytes: int) -> None:
    limit = megabytes << 20

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    command = [
        sys.executable,
        "-m",
        "quest22.cli.main",
        "transcribe",
        str(talk),
        "-m",
        "nano",
        "-q",
    ]
    done = subprocess.run(
        command,
        preexec_fn=limited,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode == Exit.DONE:
        return
    assert done.returncode == Exit.NOTHING_DONE, done.stderr
    lines = done.stderr.splitlines()
    assert lines[-1].startswith("quest22: "), lines
    assert not any("Traceback" in line or "unexpected" in line for line in lines), lines
