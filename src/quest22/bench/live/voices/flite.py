"""flite, whose utterances tell where each word's last sound ends.

Source of the interface: ``flite.h`` and ``cst_utterance.h`` of flite 2.2.
"""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np

from quest22.bench.live.voices.spoken import Spoken, at_16_khz, open_library
from quest22.errors import UsageError

VOICES = ("slt", "rms", "awb")
_END = b"R:SylStructure.daughtern.daughtern.R:Segment.end"


class _Wave(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_char_p),
        ("rate_hz", ctypes.c_int),
        ("count", ctypes.c_int),
        ("channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    )


def speak(text: str, voice: str) -> Spoken:
    """Say an English sentence of plain words with the voice ``cmu_us_<voice>``.

    Raises :class:`UsageError` where flite says other words than the text has (numbers, initials).
    """
    library = _library()
    said = ctypes.c_void_p(library.flite_synth_text(text.encode(), _voice(voice)))
    wave = library.utt_wave(said).contents
    pcm = np.array(np.ctypeslib.as_array(wave.samples, (wave.count,)), np.int16)
    rate_hz, ends = int(wave.rate_hz), _ends(library, said)
    library.delete_utterance(said)
    if len(ends) != len(text.split()):
        raise UsageError(f"flite says {len(ends)} words, expected those of {text!r}")
    return Spoken(at_16_khz(pcm, rate_hz), tuple(ends))


@cache
def _library() -> ctypes.CDLL:
    for name in ("flite", "flite_cmulex", "flite_usenglish"):
        open_library(f"lib{name}.so.1", "flite")
    library = open_library("libflite.so.1", "flite")
    library.flite_init()
    for function in ("flite_synth_text", "utt_relation", "relation_head", "item_next"):
        getattr(library, function).restype = ctypes.c_void_p
    library.ffeature_float.restype = ctypes.c_float
    library.utt_wave.restype = ctypes.POINTER(_Wave)
    return library


@cache
def _voice(name: str) -> ctypes.c_void_p:
    voices = open_library(f"libflite_cmu_us_{name}.so.1", "flite")
    register = getattr(voices, f"register_cmu_us_{name}")
    register.restype = ctypes.c_void_p
    return ctypes.c_void_p(register(None))


def _ends(library: ctypes.CDLL, said: ctypes.c_void_p) -> list[float]:
    words = ctypes.c_void_p(library.utt_relation(said, b"Word"))
    item, ends = library.relation_head(words), []
    while item:
        ends.append(float(library.ffeature_float(ctypes.c_void_p(item), _END)))
        item = library.item_next(ctypes.c_void_p(item))
    return ends
