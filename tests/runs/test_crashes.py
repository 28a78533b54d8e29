"""A clip that kills the process costs one Failure, and the same command passes it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from quest22.runs.journal import DECODING
from tests.runs.crashing import POISONED, transcribe
from tests.support.corpora import samples, write_parquet
from tests.torture.worker import DigestPipeline, RunSpec

ROOT = Path(__file__).parents[2]


def lives(kind: str, data: Path, folder: Path) -> list[int]:
    """The exit codes of the same command until it ends in order."""
    codes: list[int] = []
    while not codes or (codes[-1] and len(codes) < 9):
        command = [sys.executable, "-m", "tests.runs.crashing", kind, str(data), str(folder)]
        codes.append(subprocess.run(command, cwd=ROOT, check=False, timeout=120).returncode)
    return codes


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dataset", "files"])
def test_the_same_command_passes_clips_that_crash_the_decoder(kind: str, tmp_path: Path) -> None:
    data, whole, folder = tmp_path / "data", tmp_path / "whole", tmp_path / "out"
    data.mkdir()
    if kind == "dataset":
        write_parquet(data / "a.parquet", samples(16))
        RunSpec(data, whole, load=DigestPipeline).run()
    else:
        for sample in samples(16):
            (data / f"{sample.id}.wav").write_bytes(sample.sound)
        transcribe(data, whole, DigestPipeline)
    codes = lives(kind, data, folder)
    assert codes[-1] == 0
    assert 1 <= len(codes) - 1 <= len(POISONED)
    assert set(codes[:-1]) == {-signal.SIGSEGV}
    failures = [json.loads(line) for line in (folder / "failures.jsonl").read_bytes().splitlines()]
    assert [Path(each["name"]).stem for each in failures] == list(POISONED)
    assert {each["stage"] for each in failures} == {"audio"}
    assert {each["reason"] for each in failures} == {"decoding it crashes FFmpeg (SIGSEGV)"}
    expected = (whole / "transcripts.jsonl").read_bytes().splitlines(keepends=True)
    others = [line for line in expected if Path(json.loads(line)["id"]).stem not in POISONED]
    assert (folder / "transcripts.jsonl").read_bytes() == b"".join(others)
    assert not list(folder.rglob(DECODING))
