"""The command itself, killed in a precision whose kernels round differently from batch to batch."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quest22.runs.journal import Journal
from tests.torture.kills import differences, outputs
from tests.torture.real import SAMPLES


def command(folder: Path) -> list[str]:
    """Windows of up to five seconds: a clip has several, and batches hold parts of clips."""
    return [
        *(sys.executable, "-m", "quest22", "stream", "parquet", "--quiet", "--threads", "1"),
        *("--data-files", f"{SAMPLES}/*.parquet", "--model", "nano", "--compute-type", "int8"),
        *("--batch-size", "5", "--chunk-length-s", "5", "--timestamps"),
        *("-o", str(folder), "-f", "jsonl,srt"),
    ]


def killed_at(results: int, folder: Path) -> None:
    """Start the command, and kill it when so many results are marked."""
    with subprocess.Popen(command(folder)) as process:
        while process.poll() is None and marked(folder) < results:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


def marked(folder: Path) -> int:
    journal = Journal.read(folder)
    return 0 if journal is None else journal.progress.results


@pytest.mark.slow
def test_a_killed_run_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    subprocess.run(command(tmp_path / "whole"), check=True)
    killed_at(1, tmp_path / "killed")
    killed_at(marked(tmp_path / "killed") + 1, tmp_path / "killed")
    subprocess.run(command(tmp_path / "killed"), check=True)
    assert differences(outputs(tmp_path / "whole"), outputs(tmp_path / "killed")) == []
