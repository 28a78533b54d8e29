"""The core on systems that are not Linux: imports, files and commands without what POSIX adds.

What cannot be run here is run in processes from which it is hidden, see
``tests.support.without_posix``.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

import quest22
from tests.support.without_posix import MODULES

PACKAGE = Path(quest22.__file__).parent
SAMPLES = PACKAGE / "demo" / "samples"
STREAM = ("stream", "parquet", "--data-files", SAMPLES / "*.parquet", "-o", "out", "--take", "9")
SMALL = ("-m", "nano", "--batch-size", "2", "--temperature", "0", "-q")


def start(*arguments: object, folder: Path) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "HF_HUB_OFFLINE": "1",
        "QUEST22_NATIVE": "on",
    }
    command = [sys.executable, "-m", "tests.support.without_posix", *map(str, arguments)]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def run(*arguments: object, folder: Path) -> str:
    process = start(*arguments, folder=folder)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    return out


def test_every_module_of_the_core_can_be_imported(tmp_path: Path) -> None:
    names = run("imports", folder=tmp_path).split()
    assert len(names) > 150
    assert {"quest22.cli.main", "quest22.runs.journal", "quest22.source.dataset"} <= set(names)


@pytest.mark.slow
def test_every_test_is_found() -> None:
    """One module that cannot be imported there would end the whole test run."""
    told = run("collect", folder=Path(__file__).parent.parent)
    assert " error" not in told.splitlines()[-1]


def test_no_room_but_the_system_room_imports_what_windows_lacks() -> None:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.is_relative_to(PACKAGE / "system"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            roots = {name.partition(".")[0] for name in names}
            found += [f"{path.name}: {name}" for name in roots & {*MODULES, "msvcrt", "winreg"}]
    assert found == []


def test_text_files_are_opened_with_an_encoding() -> None:
    """The default encoding and line ends of text files differ between systems."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            given = {keyword.arg for keyword in node.keywords}
            if node.func.attr in ("read_text", "write_text") and "encoding" not in given:
                found.append(f"{path.name}:{node.lineno}")
    assert found == []


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    chance = np.random.default_rng(0)
    path = tmp_path / "talks" / "a talk.wav"
    path.parent.mkdir()
    soundfile.write(path, 0.05 * chance.standard_normal(32_000), 16_000)
    return path


def test_files_are_transcribed_into_a_folder(talk: Path, tmp_path: Path) -> None:
    run(
        *("transcribe", "talks", "-o", "out", "-f", "json,srt", *SMALL),
        folder=tmp_path,
    )
    document = json.loads((tmp_path / "out" / "a talk.json").read_text(encoding="utf-8"))
    assert isinstance(document["text"], str)
    assert b"\r" not in (tmp_path / "out" / "a talk.srt").read_bytes()


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True) if path.exists() else []


def test_a_dataset_run_is_killed_continued_and_told(tmp_path: Path) -> None:
    command = (*STREAM, "-f", "jsonl,parquet", *SMALL)
    output = tmp_path / "out" / "transcripts.jsonl"
    process = start(*command, folder=tmp_path)
    while not lines_of(output) and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert "out" in run("status", "out", folder=tmp_path)
    run(*command, folder=tmp_path)
    lines = lines_of(output)
    assert set(Counter(json.loads(line)["id"] for line in lines).values()) == {1}
    assert len(lines) == 9
    assert all(line.endswith(b"\n") and not line.endswith(b"\r\n") for line in lines)
    assert "finished" in run("status", "out", folder=tmp_path)


def test_two_processes_do_not_write_into_one_folder(tmp_path: Path) -> None:
    command = (*STREAM, "-f", "jsonl", *SMALL)
    first = start(*command, folder=tmp_path)
    while not (tmp_path / "out" / ".quest22" / "lock").exists() and first.poll() is None:
        time.sleep(0.005)
    second = start(*command, folder=tmp_path)
    _, err = second.communicate(timeout=120)
    first.communicate(timeout=300)
    assert first.returncode == 0
    assert second.returncode == 0 or "another process is writing" in err


def test_doctor_says_what_it_cannot_see(tmp_path: Path) -> None:
    report = run("doctor", folder=tmp_path)
    assert "processor" in report
    assert "memory" in report
