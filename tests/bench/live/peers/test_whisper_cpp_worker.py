from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quest22.bench.live.live_process import LiveProcess
from quest22.bench.live.peers import PEERS
from quest22.bench.live.reference import Sound
from quest22.bench.live.timeline import Timeline

PROGRAM = """\
#!{python}
# Draws as whisper.cpp's stream example does: a line for each second that it hears.
import os, sys
microphone = open(os.environ["SDL_DISKAUDIOFILEIN"], "rb")
heard = 0
while block := microphone.read(4 * 1600):
    heard += 1
    erase = "\\33[2K\\r"
    sys.stdout.write(f"{{erase}}{{' ' * 20}}{{erase}} word{{'s' * (heard % 10 == 0)}}")
    sys.stdout.flush()
    if heard % 10 == 0:
        sys.stdout.write("\\n")
"""


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script's module, found as where it runs: beside what it imports."""
    folder = Path(PEERS["whisper.cpp"].command()[1]).parent
    monkeypatch.syspath_prepend(str(folder))
    return importlib.import_module("whisper_cpp_worker")


def test_lines_that_have_ended_and_the_current_one(worker: Any):
    lines = worker.Lines()
    erase = worker.ERASE
    for written, ended, current in (
        ("[Start speaking]\n", [], ""),
        (f"{erase}    {erase} The ri", [], "The ri"),
        (f"{erase}    {erase} The river.", [], "The river."),
        (f"\n{erase}    {erase} [BLANK_AUDIO]", ["The river."], ""),
        (f"{erase}    {erase} (wind) It rose", ["The river."], "It rose"),
        ("\n", ["The river.", "It rose"], ""),
    ):
        lines.take(written)
        assert (lines.ended, lines.current) == (ended, current)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes of this kind")
def test_a_program_hears_a_pipe_and_its_lines_are_read(tmp_path: Path):
    program = tmp_path / "whisper-stream"
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(0o755)
    peer = replace(PEERS["whisper.cpp"], place=str(program))
    job = {"files": {"ggml": "model.bin"}, "language": "en", "threads": 1}
    process = LiveProcess(peer, job, tmp_path / "log")
    process.wait()
    played = process.play([Sound("silence", np.zeros(32_000, np.float32), (), "")], 0.0)
    process.kill()
    timeline = Timeline(played.updates[0])
    assert played.unended == 0
    assert timeline.text().startswith("words words")
    assert timeline.updates[0].tail == ("word",)
    assert timeline.taken_back == 0
