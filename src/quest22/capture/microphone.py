"""A microphone, through PortAudio (python-sounddevice)."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from quest22.capture.blocks import live_blocks
from quest22.capture.each_channel import channel_sounds
from quest22.capture.notices import Notify
from quest22.capture.raw_pcm import Piece
from quest22.capture.settings import CaptureSettings
from quest22.capture.sound_source import LiveSound
from quest22.capture.stop import Stop
from quest22.errors import ClipError, MissingExtraError, SourceError, UsageError
from quest22.settings.quantities import hours

BLOCK_S = 0.05
MUTED_S = 10.0
"""A microphone that hears gives at least noise; one that is muted, or forbidden, zeros."""
LOOK_S = 0.1
"""How often a silent device's reader looks whether it is to end."""
MAX_WAITING_S = 600.0
"""Sound that waits while the machine cannot keep up; 115 MB at 48 kHz."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device that records: its number, name, channels and rate in Hz."""

    number: int
    name: str
    channels: int
    rate_hz: int
    is_default: bool


class MicrophoneSource:
    """A :class:`SoundSource` of one device."""

    def __init__(self, settings: CaptureSettings, stop: Stop, notify: Notify) -> None:
        """Raises MissingExtraError, UsageError for an unknown device, SourceError if none is."""
        self._settings = settings
        self._stop = stop
        self._notify = notify
        self._sounddevice = load_sounddevice()
        self._device = choose(devices(self._sounddevice), settings.microphone)
        self.title = f"microphone {self._device.number}, {self._device.name}"

    def sounds(self) -> Iterator[LiveSound]:
        if self._settings.each_channel:
            yield from channel_sounds(self._pieces(), lambda blocks: blocks)
        else:
            yield LiveSound(self.title, live_blocks(self._pieces(), self._settings.channel))

    def close(self) -> None:
        """Does nothing: the device is closed when its blocks end."""

    def _pieces(self) -> Iterator[Piece]:
        device = self._device
        waiting: queue.SimpleQueue[np.ndarray[Any, Any] | None] = queue.SimpleQueue()
        most = int(MAX_WAITING_S / BLOCK_S)

        def took(block: Any, _frames: int, _time: Any, status: Any) -> None:
            if status.input_overflow:
                self._notify("the microphone was read too late: a moment of sound is lost")
            if waiting.qsize() >= most:
                self._notify(
                    f"the machine is {hours(MAX_WAITING_S)} behind the microphone: sound is lost; "
                    "a smaller model keeps up"
                )
                return
            waiting.put(block.T.copy())

        try:
            stream = self._sounddevice.InputStream(
                device=device.number,
                channels=device.channels,
                samplerate=device.rate_hz,
                blocksize=int(device.rate_hz * BLOCK_S),
                dtype="float32",
                latency="low",
                callback=took,
                finished_callback=lambda: waiting.put(None),
            )
            with closing(stream):
                stream.start()
                yield from self._taken(waiting)
        except self._sounddevice.PortAudioError as exc:
            raise ClipError("source", f"the device cannot be recorded from: {exc}") from exc

    def _taken(self, waiting: queue.SimpleQueue[np.ndarray[Any, Any] | None]) -> Iterator[Piece]:
        zeros = 0
        while not self._stop.is_set:
            try:
                block = waiting.get(timeout=LOOK_S)
            except queue.Empty:
                continue
            if block is None:
                raise ClipError("source", "the device has stopped recording")
            zeros = 0 if block.any() else zeros + block.shape[1]
            if zeros > MUTED_S * self._device.rate_hz:
                zeros = 0
                self._notify(
                    f"{self.title} gives nothing but zeros: is it muted, or forbidden to this "
                    "program?"
                )
            yield self._device.rate_hz, block


def load_sounddevice() -> ModuleType:
    """The library of the microphone; raises what says how to install it."""
    try:
        import sounddevice
    except ImportError as exc:
        raise MissingExtraError("the microphone", "live") from exc
    except OSError as exc:
        raise SourceError(
            "the microphone needs PortAudio, which is not installed: apt install libportaudio2, "
            "dnf install portaudio, or brew install portaudio"
        ) from exc
    module: ModuleType = sounddevice
    return module


def devices(sounddevice: ModuleType) -> list[Device]:
    """The devices that record."""
    chosen = sounddevice.default.device[0]
    found = []
    for number, each in enumerate(sounddevice.query_devices()):
        if each["max_input_channels"] > 0:
            found.append(
                Device(
                    number,
                    str(each["name"]),
                    min(int(each["max_input_channels"]), 2),
                    int(each["default_samplerate"]),
                    number == chosen,
                )
            )
    return found


def choose(found: list[Device], wanted: str | None) -> Device:
    """The device of a number, or the only one with a part of a name; None: the system's own.

    Raises :class:`UsageError` unless there is just one, :class:`SourceError` if none records.
    """
    if not found:
        raise SourceError(
            "no microphone was found: connect one, or name a file, a URL, - for standard input, "
            "or --listen"
        )
    if wanted is None:
        return next((each for each in found if each.is_default), found[0])
    if wanted.isdecimal():
        fitting = [each for each in found if each.number == int(wanted)]
    else:
        fitting = [each for each in found if wanted.lower() in each.name.lower()]
    if len(fitting) != 1:
        listed = "; ".join(f"{each.number} {each.name}" for each in fitting or found)
        problem = "several devices have that name" if fitting else "there is none"
        raise UsageError(f"microphone is {wanted!r}: {problem}: expected one of {listed}")
    return fitting[0]
