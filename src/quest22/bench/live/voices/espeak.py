"""espeak-ng, which tells where each word and each of its sounds begins.

A word ends where the next word begins, or the pause before it. Some short words are said as one
with the next (``on the``): then only the end of the second is known. Source of the interface:
``espeak-ng/speak_lib.h`` (linked at run time).
"""

from __future__ import annotations

import ctypes
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from quest22.bench.live.voices.spoken import Spoken, at_16_khz, open_library
from quest22.errors import UsageError

RATE_WPM = 140
"""A little slower than its default, which Whisper's small models mishear more often."""

_SYNCHRONOUS, _PHONEME_EVENTS, _UTF8, _BY_CHARACTER, _RATE = 2, 1, 1, 1, 1
_END, _WORD, _PHONEME = 0, 1, 7


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_ms", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("name", ctypes.c_char * 8),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A word or a sound that begins at a sample: the word's place in the text, else None."""

    sample: int
    place: int | None = None
    is_pause: bool = False


def speak(text: str, voice: str) -> Spoken:
    """Say a sentence with a voice of espeak-ng, such as ``en-us``."""
    return _synthesiser().speak(text, voice)


@cache
def _synthesiser() -> _Espeak:
    return _Espeak()


class _Espeak:
    """The library, which has one state for the whole process."""

    def __init__(self) -> None:
        self._library = open_library("libespeak-ng.so.1", "espeak-ng")
        self._rate_hz = int(self._library.espeak_Initialize(_SYNCHRONOUS, 0, None, _PHONEME_EVENTS))
        if self._rate_hz <= 0:
            raise UsageError("espeak-ng has no voice data: apt-get install espeak-ng-data")
        self._sound: list[bytes] = []
        self._marks: list[Mark] = []
        self._callback = _Callback(self._take)
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(self, text: str, voice: str) -> Spoken:
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise UsageError(f"espeak-ng has no voice {voice!r}")
        self._library.espeak_SetParameter(_RATE, RATE_WPM, 0)
        self._sound.clear()
        self._marks.clear()
        data = text.encode() + b"\0"
        self._library.espeak_Synth(data, len(data), 0, _BY_CHARACTER, 0, _UTF8, None, None)
        pcm = np.frombuffer(b"".join(self._sound), np.int16)
        starts = [0, *(at for at, each in enumerate(text, 1) if each == " ")]
        ends = word_ends(self._marks, len(pcm), starts)
        seconds = (None if end is None else end / self._rate_hz for end in ends)
        return Spoken(at_16_khz(pcm, self._rate_hz), tuple(seconds))

    def _take(self, wave: Any, count: int, events: Any) -> int:
        if wave and count > 0:
            self._sound.append(ctypes.string_at(wave, count * 2))
        index = 0
        while events[index].type != _END:
            event = events[index]
            if event.type == _WORD:
                self._marks.append(Mark(event.sample, place=event.text_position - 1))
            elif event.type == _PHONEME:
                self._marks.append(Mark(event.sample, is_pause=event.name.startswith(b"_")))
            index += 1
        return 0


def word_ends(marks: Sequence[Mark], count: int, starts: Sequence[int]) -> list[int | None]:
    """Ends of words in samples, of ``count`` in all; None: not told.

    ``starts`` has the place in the text at which each word begins.
    """
    ends: list[int | None] = [None] * len(starts)
    latest, paused_at = -1, None
    for mark in marks:
        if mark.place is None:
            begins_pause = mark.sample if paused_at is None else paused_at
            paused_at = begins_pause if mark.is_pause else None
            continue
        word = bisect_right(starts, mark.place) - 1
        if word > latest >= 0:
            ends[word - 1] = mark.sample if paused_at is None else paused_at
        latest, paused_at = word, None
    ends[-1] = count if paused_at is None else paused_at
    return ends
