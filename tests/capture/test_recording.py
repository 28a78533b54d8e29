from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from quest22.capture.choose import open_source
from quest22.capture.settings import CaptureSettings
from quest22.capture.stop import Stop
from quest22.errors import ClipError, SourceError, UsageError
from quest22.records import SAMPLE_RATE_HZ
from tests.capture.streams import nobody, tone


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    path = tmp_path / "talk.flac"
    soundfile.write(path, tone(3.0, 44_100), 44_100)
    return path


def heard(source: str | Path, **settings: object) -> list[np.ndarray]:
    capture = CaptureSettings(str(source), **settings)
    (sound,) = open_source(capture, Stop(), nobody()).sounds()
    return list(sound.blocks)


def test_a_file_as_fast_as_it_can_be_decoded(talk: Path) -> None:
    blocks = heard(talk, pace="fast")
    assert max(map(len, blocks)) == SAMPLE_RATE_HZ // 10
    assert sum(map(len, blocks)) == 3 * SAMPLE_RATE_HZ


def test_a_file_is_spoken_in_its_own_time_unless_told_otherwise(talk: Path) -> None:
    stop = Stop()
    (sound,) = open_source(CaptureSettings(str(talk)), stop, nobody()).sounds()
    assert sound.name == "talk.flac"
    assert len(next(sound.blocks)) == SAMPLE_RATE_HZ // 20
    stop.set()
    assert list(sound.blocks) == []


def test_files_that_are_none(tmp_path: Path, talk: Path) -> None:
    with pytest.raises(SourceError, match=r"no such file or folder: missing\.wav"):
        heard("missing.wav")
    (tmp_path / "second.wav").write_bytes(talk.read_bytes())
    with pytest.raises(UsageError, match="is 2 recordings: expected one; quest22 transcribe"):
        heard(tmp_path)
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"nothing")
    with pytest.raises(ClipError, match="cannot be read as sound"):
        heard(broken, pace="fast")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"source": "-", "microphone": "1"}, "the source - and --microphone 1 are named"),
        ({"source": "a", "listen": "1"}, "the source a and --listen 1 are named"),
        ({"pace": "real"}, "--pace is for a file, a URL or standard input"),
        ({"source": "a", "pace": "slow"}, "pace is 'slow': expected real or fast"),
        ({"max_clients": 0}, "max_clients is 0"),
    ],
)
def test_settings_that_contradict(settings: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        CaptureSettings(**settings)
