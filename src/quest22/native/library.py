"""Opens the native library: the one for the best instruction set that this processor has.

``hatch_build.py`` compiles one for each instruction set of the platform, where it finds a C
compiler. Where this processor can run none of them, OpenVINO computes everything.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from quest22.env import native_library
from quest22.errors import EngineError, UsageError
from quest22.system.machine import processor_flags

FOLDER = Path(__file__).parent
_AVX2 = frozenset({"avx2", "fma", "f16c", "bmi2"})
_AVX512 = _AVX2 | {"avx512f", "avx512bw", "avx512vl", "avx512dq"}
NEEDED_FLAGS = {
    "avx512_bf16": _AVX512 | {"avx512_vnni", "avx512_bf16"},
    "avx512": _AVX512,
    "avx_vnni": _AVX2 | {"avx_vnni"},
    "avx2": _AVX2,
    "neon_dotprod": frozenset({"asimd", "asimddp"}),
    "neon": frozenset({"asimd"}),
}
"""The processor flags that each instruction set needs, best set first."""

INTERFACE = 10
_ADDRESS, _NUMBER, _REAL = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float
_STATUS, _PLAIN = "status", ctypes.c_int
_SET_LINEAR = [_ADDRESS, *[_NUMBER] * 4, _ADDRESS, _ADDRESS, _REAL]
_SET_NORM = [_ADDRESS, _NUMBER, _NUMBER, _ADDRESS, _ADDRESS]
FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "quest22_interface": (_PLAIN, []),
    "quest22_decoder_supports": (_PLAIN, [_ADDRESS, _NUMBER]),
    "quest22_decoder_open": (_STATUS, [_ADDRESS, *[_NUMBER] * 4, _ADDRESS]),
    "quest22_decoder_close": (_PLAIN, [_ADDRESS]),
    "quest22_decoder_set_linear": (_STATUS, _SET_LINEAR),
    "quest22_decoder_set_norm": (_STATUS, _SET_NORM),
    "quest22_decoder_compact": (_STATUS, [_ADDRESS]),
    "quest22_decoder_begin": (_STATUS, [_ADDRESS, _NUMBER, _NUMBER, *[_ADDRESS] * 5]),
    "quest22_decoder_step": (_STATUS, [_ADDRESS] * 7),
    "quest22_decoder_keep_scores": (_STATUS, [_ADDRESS, _NUMBER, _ADDRESS, _ADDRESS]),
    "quest22_quantize_kv": (_STATUS, [_ADDRESS, _NUMBER, _ADDRESS, _ADDRESS]),
    "quest22_log_mel": (_STATUS, [*[_ADDRESS, _NUMBER] * 2, _NUMBER, _ADDRESS, _NUMBER]),
    "quest22_first_frames": (_STATUS, [_ADDRESS, _NUMBER, _NUMBER, _ADDRESS]),
    "quest22_argmax": (_STATUS, [_ADDRESS, *[_NUMBER] * 3, _ADDRESS, _ADDRESS]),
    "quest22_encoder_dtype": (_PLAIN, []),
    "quest22_encoder_supports": (_PLAIN, [_ADDRESS, _NUMBER]),
    "quest22_encoder_open": (_STATUS, [_ADDRESS, *[_NUMBER] * 3, _ADDRESS]),
    "quest22_encoder_close": (_PLAIN, [_ADDRESS]),
    "quest22_encoder_set_linear": (_STATUS, _SET_LINEAR),
    "quest22_encoder_set_norm": (_STATUS, _SET_NORM),
    "quest22_encoder_set_positions": (_STATUS, [_ADDRESS, _NUMBER, _NUMBER, _ADDRESS]),
    "quest22_encoder_run": (_STATUS, [_ADDRESS, _NUMBER, *[_ADDRESS] * 4]),
}
"""The result and arguments of each function, as its ``EXPORT`` declares them; arrays by address.

A function with a status raises :class:`EngineError` where it refuses its arguments (``status.h``).
"""
_ENCODER_ELEMENTS = {1: "bf16", 3: "i16"}
_INT8 = 2
_SMALL_ENCODER = np.array([1, 4, 1, 4, 2, 1, 1, 1], np.int32)
"""A shape that has no remainders."""

_REFUSALS = {
    -1: "not enough memory; try a smaller --batch-size or a smaller model",
    -2: "the native library has no code for this size or format (QUEST22_NATIVE=off does without)",
    -3: "the native library was given a wrong argument",
    -4: "another thread is using this model, or was when it was forked into this process",
}

_log = logging.getLogger("quest22")


def open_library() -> ctypes.CDLL | None:
    """The native library, the same object each time; None where OpenVINO does its work.

    Raises :class:`UsageError` for an unknown value of ``$QUEST22_NATIVE``.
    """
    selected = _select(native_library())
    return selected[1] if selected else None


def instruction_set() -> str | None:
    """What the native library was compiled for, such as ``avx512``; None where there is none."""
    selected = _select(native_library())
    return selected[0] if selected else None


def elements(library: ctypes.CDLL | None) -> frozenset[str]:
    """What a library multiplies: ``f32``, and ``bf16`` or ``i16``; in the encoder maybe ``i8``."""
    if library is None:
        return frozenset()
    found = {"f32", _ENCODER_ELEMENTS[library.quest22_encoder_dtype()]}
    if library.quest22_encoder_supports(_SMALL_ENCODER.ctypes.data, _INT8):
        found.add("i8")
    return frozenset(found)


def best_library(
    folder: Path, flags: frozenset[str], only: str | None = None
) -> tuple[str, ctypes.CDLL] | None:
    """The best library in ``folder`` that a processor with these flags can run, with its set.

    A library that cannot be opened is left out. ``only`` considers one instruction set alone.
    """
    for name in suitable(folder, flags):
        opened = _open(_path(folder, name)) if only in (None, name) else None
        if opened is not None:
            return name, opened
    return None


def suitable(folder: Path, flags: frozenset[str]) -> list[str]:
    """Instruction sets that a processor with these flags has and a library is for, best first."""
    supported = (name for name, needed in NEEDED_FLAGS.items() if needed <= flags)
    return [name for name in supported if _path(folder, name).is_file()]


def _open(path: Path) -> ctypes.CDLL | None:
    try:
        return _declared(ctypes.CDLL(str(path)))
    except (OSError, AttributeError) as exc:  # damaged, or another version's
        _log.warning("native library left out, as it cannot be opened: %s", exc)
        return None


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    for name, (result, arguments) in FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = ctypes.c_int, arguments
        if result is _STATUS:
            function.errcheck = _raise_refusal
    if (interface := library.quest22_interface()) != INTERFACE:
        raise OSError(f"its interface is {interface}, expected {INTERFACE}: install again")
    return library


def _raise_refusal(status: int, function: Any, _arguments: Any) -> int:
    if status:
        refusal = _REFUSALS.get(status, f"unknown status {status}")
        raise EngineError(refusal if status == -1 else f"{refusal}: {function.__name__}")
    return status


def _path(folder: Path, name: str) -> Path:
    return folder / f"quest22-{name}.so"


@cache
def _select(setting: str) -> tuple[str, ctypes.CDLL] | None:
    """By ``$QUEST22_NATIVE``: the best library, none, or the one for an instruction set."""
    if setting not in ("on", "off", *NEEDED_FLAGS):
        known = ", ".join(NEEDED_FLAGS)
        raise UsageError(f"QUEST22_NATIVE is {setting!r}: expected on, off or one of {known}")
    if setting == "off":
        return None
    only = None if setting == "on" else setting
    return best_library(FOLDER, frozenset(processor_flags()), only)


def addresses(
    arrays: Iterable[NDArray[Any]], dtype: DTypeLike, shape: tuple[int, ...]
) -> NDArray[np.uintp]:
    """The addresses of arrays, which must live as long as they are used.

    Raises :class:`EngineError` for one of another type or shape, or that is not C-contiguous: the
    library knows no lengths.
    """
    return np.array([address(each, dtype, shape) for each in arrays], np.uintp)


def address(array: NDArray[Any], dtype: DTypeLike, shape: tuple[int, ...]) -> int:
    """The address of one array, as :func:`addresses`."""
    if array.dtype != dtype or array.shape != shape or not array.flags.c_contiguous:
        order = "" if array.flags.c_contiguous else ", not contiguous"
        raise EngineError(
            f"an array for the native library is {array.dtype} {array.shape}{order}: "
            f"expected {np.dtype(dtype)} {shape}"
        )
    return array.ctypes.data
