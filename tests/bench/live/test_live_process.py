from pathlib import Path

import numpy as np
import pytest

from quest22.bench.live import live_process
from quest22.bench.live.live_process import LiveProcess, schedule
from quest22.bench.live.peers import LivePeer
from quest22.bench.live.reference import Sound
from quest22.bench.live.timeline import Timeline
from quest22.bench.worker_process import WorkerError

ECHO = LivePeer("echo", "tests.bench.live.echo_worker")


def test_each_session_is_fed_and_read(tmp_path: Path):
    process = LiveProcess(ECHO, {"model": "one two"}, tmp_path / "log")
    process.wait()
    sounds = [Sound(name, np.zeros(4800, np.float32), (), "") for name in ("first", "second")]
    played = process.play(sounds, stagger_s=0.1)
    process.kill()
    assert process.about == "echo of one two"
    assert [Timeline(each).text() for each in played.updates] == ["one two one", "one two one"]
    assert played.unended == 0
    for updates in played.updates:
        times = [update.at_s for update in updates]
        assert times == sorted(times)
        assert times[0] >= 0.1  # the first word is heard when its sound has been spoken
        assert updates[-1].final
    assert played.seconds >= 0.4
    assert played.memory


def test_a_program_that_cannot_start_says_why(tmp_path: Path):
    process = LiveProcess(ECHO, {"model": "broken"}, tmp_path / "log")
    with pytest.raises(WorkerError, match="echo failed: this program is broken"):
        process.wait()


def test_a_program_that_does_not_take_its_sound_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(live_process, "END_S", 0.5)
    process = LiveProcess(ECHO, {"model": "deaf"}, tmp_path / "log")
    process.wait()
    sounds = [Sound("silence", np.zeros(8000, np.float32), (), "")] * 10  # more than a pipe holds
    with pytest.raises(
        WorkerError, match=r"echo does not keep up: it takes sound over 0\.5 s late"
    ):
        process.play(sounds, stagger_s=0.0)


def test_blocks_are_due_when_their_last_sample_has_been_spoken():
    blocks = schedule([np.zeros(1600, np.float32), np.ones(640, np.float32)], stagger_s=0.05)
    assert [(round(due_s, 3), session, len(block)) for due_s, session, block in blocks] == [
        (0.04, 0, 1280),
        (0.08, 0, 1280),
        (0.09, 1, 1280),
        (0.09, 1, 0),
        (0.1, 0, 640),
        (0.1, 0, 0),
    ]
    assert blocks[2][2] == (32767).to_bytes(2, "little") * 640
