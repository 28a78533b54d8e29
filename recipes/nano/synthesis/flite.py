"""flite through its own library, with the word times of its utterance structure.

Source of the interface: ``flite.h`` and ``cst_utterance.h`` of flite 2.2 (BSD-like licence).
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np

from recipes.nano.synthesis.spoken import Spoken, from_marks

VOICES = ("slt", "rms", "awb", "kal16")
START = b"R:SylStructure.daughter1.daughter1.R:Segment.p.end"


class _Wave(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_char_p), ("rate_hz", ctypes.c_int), ("count", ctypes.c_int),
        ("channels", ctypes.c_int), ("samples", ctypes.POINTER(ctypes.c_short)),
    )  # fmt: skip


@cache
def _library() -> Any:
    for name in ("flite", "flite_cmulex", "flite_usenglish"):
        library = ctypes.CDLL(f"lib{name}.so.1", mode=ctypes.RTLD_GLOBAL)
    library = ctypes.CDLL("libflite.so.1", mode=ctypes.RTLD_GLOBAL)
    library.flite_init()
    for function in ("flite_synth_text", "utt_relation", "relation_head", "item_next"):
        getattr(library, function).restype = ctypes.c_void_p
    library.ffeature_float.restype = ctypes.c_float
    library.ffeature_string.restype = ctypes.c_char_p
    library.utt_wave.restype = ctypes.POINTER(_Wave)
    return library


@cache
def _voice(name: str) -> ctypes.c_void_p:
    voices = ctypes.CDLL(f"libflite_cmu_us_{name}.so.1", mode=ctypes.RTLD_GLOBAL)
    register = getattr(voices, f"register_cmu_us_{name}")
    register.restype = ctypes.c_void_p
    return ctypes.c_void_p(register(None))


def speak(text: str, voice: str) -> Spoken:
    """Say an English text with the flite voice ``cmu_us_<voice>``."""
    library = _library()
    utterance = ctypes.c_void_p(library.flite_synth_text(text.encode(), _voice(voice)))
    wave = library.utt_wave(utterance).contents
    samples = np.ctypeslib.as_array(wave.samples, (wave.count,)).astype(np.float32) / 32768
    rate_hz, words = int(wave.rate_hz), _word_starts(library, utterance)
    library.delete_utterance(utterance)
    return from_marks(samples, rate_hz, text, place_words(text, words))


def place_words(text: str, words: list[tuple[str, float]]) -> dict[int, float]:
    """Match the synthesiser's words to those of the text, where a hyphen makes one of two."""
    parts = [(index, part) for index, word in enumerate(text.split()) for part in word.split("-")]
    starts: dict[int, float] = {}
    for (index, _), (_, start) in zip(parts, words, strict=False):
        starts.setdefault(index, start)
    return starts if len(parts) == len(words) else {}


def _word_starts(library: Any, utterance: ctypes.c_void_p) -> list[tuple[str, float]]:
    relation = ctypes.c_void_p(library.utt_relation(utterance, b"Word"))
    item = library.relation_head(relation)
    words = []
    while item:
        pointer = ctypes.c_void_p(item)
        name = library.ffeature_string(pointer, b"name").decode()
        words.append((name, float(library.ffeature_float(pointer, START))))
        item = library.item_next(pointer)
    return words
