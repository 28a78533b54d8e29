"""A clip that kills the process costs one Failure, and the same command passes it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from quest22.runs.journal import DECODING, RUN_FOLDER, Journal
from tests.runs.crashing import POISONED
from tests.support.corpora import samples, write_parquet
from tests.torture.worker import DigestPipeline, RunSpec

ROOT = Path(__file__).parents[2]


def lives(data: Path, folder: Path) -> list[int]:
    """The exit codes of the same command until it ends in order."""
    codes: list[int] = []
    while not codes or (codes[-1] and len(codes) < 9):
        command = [sys.executable, "-m", "tests.runs.crashing", str(data), str(folder)]
        codes.append(subprocess.run(command, cwd=ROOT, check=False, timeout=120).returncode)
    return codes


@pytest.mark.slow
def test_the_same_command_passes_clips_that_crash_the_decoder(tmp_path: Path) -> None:
    data, whole, folder = tmp_path / "data", tmp_path / "whole", tmp_path / "out"
    data.mkdir()
    write_parquet(data / "a.parquet", samples(16))
    RunSpec(data, whole, load=DigestPipeline).run()
    codes = lives(data, folder)
    assert codes[-1] == 0
    assert 1 <= len(codes) - 1 <= len(POISONED)
    assert set(codes[:-1]) == {-signal.SIGSEGV}
    failures = [json.loads(line) for line in (folder / "failures.jsonl").read_bytes().splitlines()]
    assert [(each["id"], each["stage"]) for each in failures] == [
        (key, "audio") for key in POISONED
    ]
    assert all(each["reason"] == "decoding it crashes FFmpeg (SIGSEGV)" for each in failures)
    expected = (whole / "transcripts.jsonl").read_bytes().splitlines(keepends=True)
    others = [line for line in expected if json.loads(line)["id"] not in POISONED]
    assert (folder / "transcripts.jsonl").read_bytes() == b"".join(others)
    journal = Journal.read(folder)
    assert journal is not None
    assert journal.progress.finished
    assert not (folder / RUN_FOLDER / DECODING).exists()
