"""``--devices``: one command, a process a device, and the output of one process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import quest22
from quest22.cli.exits import Exit
from quest22.runs.journal import Journal
from tests.torture.kills import differences, outputs

SAMPLES = Path(quest22.__file__).parent / "demo" / "samples"
TWO = ("--devices", "cpu,cpu", "--threads", "2")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc"),
]


def command(folder: Path, *more: str) -> list[str]:
    """Windows of up to five seconds in batches of four: many clips are open at a time."""
    return [
        *(sys.executable, "-m", "quest22", "stream", "parquet", "--data-files"),
        *(f"{SAMPLES}/*.parquet", "--take", "24", "--model", "nano", "--dtype", "float32"),
        *("--batch-size", "4", "--chunk-length-s", "5", "--timestamps"),
        *("-o", str(folder), "-f", "jsonl,srt", *(more or TWO)),
    ]


def ended(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(folder, *more), capture_output=True, text=True, check=False)


def begun(folder: Path, results: int) -> subprocess.Popen[str]:
    """The command, when so many results are marked as published."""
    process = subprocess.Popen(command(folder), stderr=subprocess.PIPE, text=True)
    while process.poll() is None and marked(folder) < results:
        time.sleep(0.02)
    assert process.poll() is None
    return process


def marked(folder: Path) -> int:
    journal = Journal.read(folder)
    return 0 if journal is None else journal.progress.results


def children(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(each) for each in text.split()]


def all_are_gone(processes: list[int], within_s: float = 60.0) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if not any(Path(f"/proc/{each}").exists() for each in processes):
            return True
        time.sleep(0.05)
    return False


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one process writes."""
    folder = tmp_path_factory.mktemp("whole") / "out"
    assert ended(folder, "--threads", "1").returncode == Exit.DONE
    return outputs(folder)


def test_two_processes_write_what_one_does(whole: dict[str, bytes], tmp_path: Path) -> None:
    made = ended(tmp_path / "out")
    assert made.returncode == Exit.DONE, made.stderr
    assert "(float32 on cpu, cpu)" in made.stderr
    assert differences(whole, outputs(tmp_path / "out")) == []


@pytest.mark.parametrize("then", [TWO, ("--threads", "1")], ids=["again", "in one process"])
def test_a_killed_command_is_continued(
    whole: dict[str, bytes], tmp_path: Path, then: tuple[str, ...]
) -> None:
    folder = tmp_path / "out"
    process = begun(folder, 1)
    workers = children(process.pid)
    assert len(workers) == 2
    process.kill()
    process.communicate()
    assert all_are_gone(workers)
    made = ended(folder, *then)
    assert made.returncode == Exit.DONE, made.stderr
    assert "continuing after" in made.stderr
    assert differences(whole, outputs(folder)) == []


@pytest.mark.long
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_command_stops_all(
    whole: dict[str, bytes], tmp_path: Path, stop: signal.Signals
) -> None:
    folder = tmp_path / "out"
    process = begun(folder, 1)
    workers = children(process.pid)
    process.send_signal(stop)
    _, told = process.communicate(timeout=120)
    assert process.returncode == Exit.INTERRUPTED
    assert all_are_gone(workers)
    assert "repeat the command to continue" in told
    assert ended(folder).returncode == Exit.DONE
    assert differences(whole, outputs(folder)) == []


def test_the_others_do_the_work_of_a_process_that_dies(
    whole: dict[str, bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    process = begun(folder, 1)
    os.kill(children(process.pid)[0], signal.SIGKILL)
    _, told = process.communicate(timeout=120)
    assert process.returncode == Exit.DONE, told
    assert "the process of cpu (1 of 2) has died (SIGKILL): its work goes to cpu (2 of 2)" in told
    assert differences(whole, outputs(folder)) == []


@pytest.mark.long
def test_without_any_process_the_run_stops_and_can_be_continued(
    whole: dict[str, bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    process = begun(folder, 1)
    for each in children(process.pid):
        os.kill(each, signal.SIGKILL)
    _, told = process.communicate(timeout=120)
    assert process.returncode == Exit.NOTHING_DONE, told
    assert "error: no device is left of cpu (1 of 2), cpu (2 of 2)" in told
    assert "not transcribed" not in told  # no clip is to blame
    assert ended(folder).returncode == Exit.DONE
    assert differences(whole, outputs(folder)) == []


def test_files_share_the_devices(tmp_path: Path, sounds: Path) -> None:
    """One of the files is long: its windows go to both."""
    for name, more in (("one", ("--threads", "1")), ("two", TWO)):
        made = subprocess.run(
            [
                *(sys.executable, "-m", "quest22", "transcribe", str(sounds), "-m", "nano", "-q"),
                *("--dtype", "float32", "-o", str(tmp_path / name), "-f", "json,srt", *more),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == Exit.DONE, made.stderr
    assert outputs(tmp_path / "one") == outputs(tmp_path / "two") != {}


def test_from_python(tmp_path: Path, whole: dict[str, bytes]) -> None:
    with quest22.Transcriber(
        *("nano",),
        devices=["cpu", "cpu"],
        compute_type="float32",
        batch_size=4,
        threads=2,
        chunk_length_s=5,
        timestamps=True,
    ) as whisper:
        summary = whisper.stream_to(
            tmp_path,
            "parquet",
            data_files=f"{SAMPLES}/*.parquet",
            take=24,
            formats="jsonl,srt",
        )
        assert summary.finished
        clip = next(whisper.stream("parquet", data_files=f"{SAMPLES}/*.parquet", take=1))
        assert clip.text
    assert differences(whole, outputs(tmp_path)) == []


def test_what_is_not_there_is_one_line(run, rows: str, tmp_path: Path) -> None:
    refused = run("stream", "parquet", "--data-files", rows, "-m", "nano", "--devices", "gpu7")
    assert refused.code == Exit.USAGE
    assert refused.err.startswith("quest22: error: devices is 'gpu7': expected all, numbers of GP")
    planned = run(
        *("plan", "parquet", "--data-files", rows, "-m", "nano", "--devices", "cpu,cpu"),
        *("--store", tmp_path / "store"),
    )
    assert planned.code == Exit.USAGE
    assert "--devices are those of one machine" in planned.err
