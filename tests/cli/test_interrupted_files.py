"""The command itself, interrupted within a long recording by Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile

from quest22.cli.exits import Exit
from quest22.records import SAMPLE_RATE_HZ, WINDOW_S
from quest22.settings import RUN_FOLDER
from quest22.system import WINDOWS
from tests.support.recordings import NANO_IS_HERE, recordings

pytestmark = [
    pytest.mark.skipif(not NANO_IS_HERE, reason="nano and the samples are not built"),
    pytest.mark.skipif(WINDOWS, reason="Ctrl-C cannot be sent to another process"),
]

DURATION_S = 200
PROGRAM = (  # Ctrl-C is heard even where tests run in the background
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from quest22.cli.main import main; sys.exit(main())"
)
FLAGS = ("-m", "nano", "-l", "en", "--batch-size", "1", "--threads", "1")


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of 200 s: the samples, one after another."""
    path = tmp_path_factory.mktemp("talk") / "talk.wav"
    sound = np.concatenate(recordings("en") * 3)[: DURATION_S * SAMPLE_RATE_HZ]
    soundfile.write(path, sound, SAMPLE_RATE_HZ)
    return path


def command(talk: Path, *flags: object, stdout: int = subprocess.PIPE) -> subprocess.Popen[str]:
    arguments = ["transcribe", str(talk), *FLAGS, *map(str, flags)]
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, list[str]]:
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err.splitlines()


@pytest.fixture(scope="module")
def whole(talk: Path) -> str:
    """The text of the recording, from a run that nobody interrupts."""
    return ended(command(talk, "-q"))[1]


def interrupt_once(process: subprocess.Popen[str], condition: Callable[[], bool]) -> None:
    while process.poll() is None and not condition():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)


def batches(folder: Path) -> int:
    """How many batches a run into the folder has recorded."""
    logs = folder.glob(f"{RUN_FOLDER}/files-*/{RUN_FOLDER}/replay.jsonl")
    return sum(log.read_bytes().count(b"\n") for log in logs)


def transcribed_s(stats: Path) -> float:
    return 3600 * json.loads(stats.read_text())["heard_hours"]


def test_the_same_command_goes_on(talk: Path, whole: str, tmp_path: Path) -> None:
    out, first, second = (tmp_path / name for name in ("out", "first.json", "second.json"))

    process = command(talk, "-o", out, "--stats-json", first)
    interrupt_once(process, lambda: batches(out) >= 2)
    code, _, lines = ended(process)
    assert code == Exit.INTERRUPTED
    assert "of 03:20 of talk.wav; the same command goes on from there" in lines[-1]
    assert lines[-1].startswith("quest22: stopped at 0")
    assert not (out / "talk.txt").exists()

    code, _, lines = ended(command(talk, "-o", out, "--stats-json", second))
    assert code == Exit.DONE
    assert f"quest22: continuing in {out}" in lines
    (going_on,) = [line for line in lines if "going on from" in line]
    assert "of 03:20 of talk.wav" in going_on
    assert (out / "talk.txt").read_text(encoding="utf-8") == whole
    assert sorted(path.name for path in out.iterdir()) == [RUN_FOLDER, "talk.txt"]
    assert 0 < transcribed_s(first) < DURATION_S
    # The window that was just recorded may not have been counted yet.
    transcribed = transcribed_s(first) + transcribed_s(second)
    assert DURATION_S - WINDOW_S < transcribed < DURATION_S + 0.1


def rest(terminal: int) -> bytes:
    """What a process that has ended wrote into a terminal."""
    text = b""
    with suppress(OSError):  # EIO at the end
        while more := os.read(terminal, 1 << 16):
            text += more
    return text


def test_without_a_folder_the_text_so_far_is_written(talk: Path, whole: str) -> None:
    pty = pytest.importorskip("pty")
    terminal, stdout = pty.openpty()
    process = command(talk, stdout=stdout)
    os.close(stdout)  # reading ends with the process
    text = b""
    while b"\n" not in text:  # a terminal gets the text as it comes
        text += os.read(terminal, 1024)
    process.send_signal(signal.SIGINT)
    code, _, lines = ended(process)
    text += rest(terminal)
    assert code == Exit.INTERRUPTED
    assert text.decode().splitlines()[0] == whole.splitlines()[0]
    assert len(text) < len(whole.encode())
    (stopped,) = [line for line in lines if "stopped at" in line]
    assert stopped.endswith("with -o FOLDER, the same command would go on from there")
