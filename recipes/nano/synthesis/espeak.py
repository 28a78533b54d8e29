"""espeak-ng through its own library, with word events.

One library call a sentence (about 2 ms); the library keeps global state, so use one process
a speaker. Source of the interface: ``espeak-ng/speak_lib.h`` (GPL-3.0, linked at run time).
"""

from __future__ import annotations

import ctypes
import random
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from recipes.nano.synthesis.spoken import Spoken, from_marks

SYNCHRONOUS, UTF8, BY_CHARACTER = 2, 1, 1
RATE, PITCH, RANGE = 1, 3, 4
END, WORD = 0, 1
LANGUAGES = ("en", "ru")
DATA_FOLDERS = ("/usr/lib/x86_64-linux-gnu/espeak-ng-data", "/usr/share/espeak-ng-data")


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int), ("identifier", ctypes.c_uint), ("text_position", ctypes.c_int),
        ("length", ctypes.c_int), ("audio_ms", ctypes.c_int), ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p), ("id", ctypes.c_char * 8),
    )  # fmt: skip


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class Espeak:
    """The library, opened once; ``data_parent`` is the folder that holds its data folder."""

    def __init__(self, data_parent: Path) -> None:
        self._library = ctypes.CDLL("libespeak-ng.so.1")
        self._rate_hz: int = self._library.espeak_Initialize(
            SYNCHRONOUS, 0, str(data_parent).encode(), 0
        )
        if self._rate_hz <= 0:
            raise RuntimeError(f"espeak-ng found no voice data in {data_parent}.")
        self._chunks: list[bytes] = []
        self._words: list[tuple[int, int]] = []
        self._callback = _Callback(self._collect)
        self._library.espeak_SetSynthCallback(self._callback)
        self._voice = ""

    def speak(self, text: str, voice: str, rate_wpm: int, pitch: int, spread: int) -> Spoken:
        """Say ``text``; ``voice`` is for example ``ru+f3``, pitch and spread are 0 to 99."""
        if voice != self._voice:
            if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
                raise ValueError(f"espeak-ng has no voice {voice!r}.")
            self._voice = voice
        for parameter, value in ((RATE, rate_wpm), (PITCH, pitch), (RANGE, spread)):
            self._library.espeak_SetParameter(parameter, value, 0)
        self._chunks.clear()
        self._words.clear()
        data = text.encode() + b"\0"
        self._library.espeak_Synth(data, len(data), 0, BY_CHARACTER, 0, UTF8, None, None)
        samples = np.frombuffer(b"".join(self._chunks), np.int16).astype(np.float32) / 32768
        return from_marks(samples, self._rate_hz, text, self._starts(text))

    def _collect(self, wave: Any, count: int, events: Any) -> int:
        if wave and count > 0:
            self._chunks.append(ctypes.string_at(wave, count * 2))
        index = 0
        while events[index].type != END:
            if events[index].type == WORD:
                self._words.append((events[index].text_position, events[index].sample))
            index += 1
        return 0

    def _starts(self, text: str) -> dict[int, float]:
        """The first event inside each word of the text."""
        starts: dict[int, float] = {}
        for position, sample in self._words:
            word = text[: position - 1].count(" ")
            starts.setdefault(word, sample / self._rate_hz)
        return starts


@cache
def variant_names() -> tuple[str, ...]:
    """The voice variants that come with espeak-ng."""
    return tuple(sorted(path.name for path in (_installed_data() / "voices" / "!v").iterdir()))


def extended_data(folder: Path, count: int, seed: int) -> Path:
    """Copy espeak-ng's data to ``folder`` and add ``count`` random variants ``r00``, ``r01``…"""
    data = folder / "espeak-ng-data"
    if not (data / "complete").exists():
        shutil.copytree(_installed_data(), data, dirs_exist_ok=True)
        for language in (data / "lang").rglob("*"):
            if language.is_file() and not language.name.startswith(LANGUAGES):
                language.unlink()  # the library lists at most 350 voices
        rng = random.Random(seed)
        for index in range(count):
            path = data / "voices" / "!v" / f"r{index:02d}"
            path.write_text(_random_variant(f"r{index:02d}", rng), encoding="utf-8")
        (data / "complete").touch()
    return folder


def _installed_data() -> Path:
    for folder in DATA_FOLDERS:
        if Path(folder).exists():
            return Path(folder)
    raise FileNotFoundError("espeak-ng is not installed: apt-get install espeak-ng.")


def _random_variant(name: str, rng: random.Random) -> str:
    """A voice of random pitch, vocal tract and tone (see espeak-ng's docs/voices.md)."""
    base = rng.choice([rng.randrange(62, 105), rng.randrange(105, 190)])
    tract = rng.gauss(100 + (base - 110) / 8, 5)
    lines = ["language variant", f"name {name}", f"pitch {base} {int(base * rng.uniform(1.25, 1.8))}"]
    for formant in range(9):
        frequency = min(140, max(75, rng.gauss(tract, 5)))
        loud, width = rng.gauss(95, 20), rng.gauss(105, 22)
        lines.append(f"formant {formant} {frequency:.0f} {max(25, loud):.0f} {max(50, width):.0f}")
    if rng.random() < 0.3:
        lines.append("breath 0 2 3 3 3 3 3 2")
    if rng.random() < 0.3:
        lines.append(f"roughness {rng.randrange(1, 5)}")
    if rng.random() < 0.3:
        lines.append(f"flutter {rng.randrange(0, 12)}")
    lines.append(f"voicing {rng.randrange(70, 140)}")
    lines.append(f"consonants {rng.randrange(75, 130)} {rng.randrange(75, 130)}")
    return "\n".join(lines) + "\n"
