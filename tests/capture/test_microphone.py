"""The glue to sounddevice, with a module in its place: there is no sound card where tests run."""

from __future__ import annotations

import builtins
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from quest22.capture.microphone import MicrophoneSource, devices, load_sounddevice
from quest22.capture.settings import CaptureSettings
from quest22.capture.stop import Stop
from quest22.errors import ClipError, MissingExtraError, SourceError, UsageError
from quest22.records import SAMPLE_RATE_HZ
from tests.capture.streams import Told


class FakeSounddevice:
    """The part of sounddevice that is used; its stream plays what ``script`` does."""

    class PortAudioError(Exception):
        pass

    def __init__(self, script: Any = lambda _: None) -> None:
        self.default = SimpleNamespace(device=[2, 0])
        self.script = script
        self.opened: dict[str, Any] = {}
        self.closed = False

    def query_devices(self) -> list[dict[str, Any]]:
        return [
            {"name": "Speakers", "max_input_channels": 0, "default_samplerate": 48_000.0},
            {"name": "USB headset", "max_input_channels": 1, "default_samplerate": 44_100.0},
            {"name": "Array", "max_input_channels": 8, "default_samplerate": 48_000.0},
        ]

    def InputStream(self, **options: Any) -> FakeSounddevice:
        self.opened = options
        return self

    def start(self) -> None:
        self.script(self)

    def close(self) -> None:
        self.closed = True

    def records(self, seconds: float, *, overflow: bool = False) -> None:
        rate, channels = self.opened["samplerate"], self.opened["channels"]
        block = np.full((int(seconds * rate), channels), 0.25, np.float32)
        self.opened["callback"](block, len(block), None, SimpleNamespace(input_overflow=overflow))
        block[:] = 9.0  # PortAudio uses its buffer again


@pytest.fixture
def sounddevice(monkeypatch: pytest.MonkeyPatch) -> FakeSounddevice:
    fake = FakeSounddevice()
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


def test_the_system_s_device_is_heard_at_its_own_rate(sounddevice: FakeSounddevice) -> None:
    def script(stream: FakeSounddevice) -> None:
        for _ in range(10):
            stream.records(0.05)
        stream.opened["finished_callback"]()

    sounddevice.script = script
    source = MicrophoneSource(CaptureSettings(), Stop(), Told())
    assert source.title == "microphone 2, Array"
    (sound,) = source.sounds()
    heard = []
    with pytest.raises(ClipError, match="the device has stopped recording"):
        heard.extend(sound.blocks)
    assert sounddevice.opened["samplerate"] == 48_000
    assert sounddevice.opened["channels"] == 2
    assert sounddevice.closed
    mono = np.concatenate(heard)
    assert 0.4 < len(mono) / SAMPLE_RATE_HZ <= 0.5
    np.testing.assert_allclose(mono[2000:-2000], 0.25, atol=0.01)


def test_a_stop_closes_the_device(sounddevice: FakeSounddevice) -> None:
    stop, told = Stop(), Told()
    sounddevice.script = lambda stream: stream.records(0.05, overflow=True)
    (sound,) = MicrophoneSource(CaptureSettings(microphone="1"), stop, told).sounds()
    next(sound.blocks)
    stop.set()
    list(sound.blocks)
    assert sounddevice.closed
    assert told == ["the microphone was read too late: a moment of sound is lost"]


@pytest.mark.parametrize(("wanted", "number"), [(None, 2), ("1", 1), ("usb", 1), ("ARRAY", 2)])
def test_devices_by_number_and_name(
    sounddevice: FakeSounddevice, wanted: str | None, number: int
) -> None:
    title = MicrophoneSource(CaptureSettings(microphone=wanted), Stop(), Told()).title
    assert title.startswith(f"microphone {number},")


@pytest.mark.parametrize("wanted", ["0", "7", "camera", "a"])
def test_a_device_that_is_not_there(sounddevice: FakeSounddevice, wanted: str) -> None:
    with pytest.raises(UsageError, match="expected one of 1 USB headset; 2 Array"):
        MicrophoneSource(CaptureSettings(microphone=wanted), Stop(), Told())


def test_no_device_at_all(sounddevice: FakeSounddevice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sounddevice, "query_devices", list)
    assert devices(sounddevice) == []  # type: ignore[arg-type]
    with pytest.raises(SourceError, match="no microphone was found: connect one, or name a file"):
        MicrophoneSource(CaptureSettings(), Stop(), Told())


def test_a_device_that_cannot_be_opened(sounddevice: FakeSounddevice) -> None:
    def fail(_: FakeSounddevice) -> None:
        raise FakeSounddevice.PortAudioError("Device unavailable")

    sounddevice.script = fail
    (sound,) = MicrophoneSource(CaptureSettings(), Stop(), Told()).sounds()
    with pytest.raises(ClipError, match="cannot be recorded from: Device unavailable"):
        next(sound.blocks)


@pytest.mark.parametrize(
    ("problem", "error", "said"),
    [
        (ImportError("sounddevice"), MissingExtraError, r"pip install 'quest22\[live\]'"),
        (OSError("PortAudio library not found"), SourceError, "apt install libportaudio2"),
    ],
)
def test_what_to_install(
    monkeypatch: pytest.MonkeyPatch, problem: Exception, error: type[Exception], said: str
) -> None:
    real = builtins.__import__

    def importing(name: str, *arguments: Any, **named: Any) -> Any:
        if name == "sounddevice":
            raise problem
        return real(name, *arguments, **named)

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(builtins, "__import__", importing)
    with pytest.raises(error, match=said):
        load_sounddevice()
