from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from quest22.capture.choose import open_source
from quest22.capture.pipe import PipeSource
from quest22.capture.raw_pcm import RawFormat
from quest22.capture.settings import CaptureSettings
from quest22.capture.stop import Stop
from quest22.errors import ClipError, SourceError
from quest22.system import WINDOWS
from tests.capture.streams import nobody

RAW = RawFormat("s16le", 16_000, 1)
SETTINGS = CaptureSettings("-", raw=RAW)


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    yield reading, writing
    with suppress(OSError):  # the test has closed it
        os.close(writing)
    os.close(reading)


def test_what_is_there_comes_at_once_however_little(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    (sound,) = PipeSource(SETTINGS, Stop(), nobody(), reading).sounds()
    for count in (1, 7, 160, 1600):
        os.write(writing, np.full(count, 16384, "<i2").tobytes())
        block = next(sound.blocks)
        np.testing.assert_array_equal(block, np.full(count, 0.5, np.float32))
    os.close(writing)
    assert next(sound.blocks, None) is None


def test_a_pipe_without_any_sound_is_told(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.close(writing)
    (sound,) = PipeSource(SETTINGS, Stop(), nobody(), reading).sounds()
    with pytest.raises(ClipError, match="nothing came"):
        next(sound.blocks)


def test_nothing_is_read_ahead(pipe: tuple[int, int]) -> None:
    """What a slow reader has not taken waits in the pipe, and holds its writer up."""
    reading, writing = pipe
    (sound,) = PipeSource(SETTINGS, Stop(), nobody(), reading).sounds()
    os.set_blocking(writing, False)
    size = os.write(writing, bytes(1 << 20))
    next(sound.blocks)
    left = len(os.read(reading, 1 << 20))
    assert left == size - 3200


def test_a_stop_ends_a_pipe_that_says_nothing(pipe: tuple[int, int]) -> None:
    reading, _ = pipe
    stop, ended = Stop(), []
    (sound,) = PipeSource(SETTINGS, stop, nobody(), reading).sounds()
    thread = threading.Thread(target=lambda: ended.extend(sound.blocks))
    thread.start()
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert ended == []


@pytest.mark.skipif(WINDOWS, reason="Windows has no named pipes in folders")
def test_a_named_pipe_is_heard_like_standard_input(tmp_path: Path) -> None:
    path = tmp_path / "sound"
    os.mkfifo(path)
    source = open_source(CaptureSettings(str(path), raw=RAW), Stop(), nobody())
    assert source.title == str(path)
    (sound,) = source.sounds()
    writer = threading.Thread(target=lambda: path.write_bytes(b"\0\x40" * 100))
    writer.start()
    assert np.concatenate(list(sound.blocks)).tolist() == [0.5] * 100
    writer.join()
    source.close()


def test_a_pipe_that_cannot_be_opened(tmp_path: Path) -> None:
    settings = CaptureSettings(str(tmp_path / "none"), raw=RAW)
    with pytest.raises(SourceError, match=r"cannot open .*none: No such file"):
        PipeSource.named(str(tmp_path / "none"), settings, Stop(), nobody())
