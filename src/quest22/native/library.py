"""Which native library runs here: the one for the best instruction set of this processor.

``hatch_build.py`` compiles one library for each set of the platform, where it finds a C compiler.
Where none is that this processor can run, there is none, and OpenVINO does the work.
"""

from __future__ import annotations

import ctypes
import logging
from functools import cache
from pathlib import Path
from typing import Any

from quest22.env import native_library
from quest22.errors import UsageError
from quest22.system.machine import processor_flags

FOLDER = Path(__file__).parent
_AVX2 = frozenset({"avx2", "fma", "f16c", "bmi2"})
_AVX512 = _AVX2 | {"avx512f", "avx512bw", "avx512vl", "avx512dq"}
NEEDED_FLAGS = {
    "avx512_bf16": _AVX512 | {"avx512_vnni", "avx512_bf16"},
    "avx512": _AVX512,
}
"""By instruction set, best first: the processor's flags without which its library cannot run."""

_ADDRESS, _NUMBER, _LONG, _REAL = ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_float
INTERFACE = 3
FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "quest22_interface": (_NUMBER, []),
    "quest22_put_linear": (_NUMBER, [_ADDRESS, _NUMBER, _NUMBER, _ADDRESS, _ADDRESS, _REAL]),
    "quest22_put_norm": (None, [_ADDRESS, _ADDRESS, _ADDRESS, _NUMBER]),
    "quest22_decoder_runs": (_NUMBER, [_ADDRESS, _NUMBER]),
    "quest22_decoder_open": (_ADDRESS, [_ADDRESS, *[_NUMBER] * 4]),
    "quest22_decoder_close": (None, [_ADDRESS]),
    "quest22_decoder_linear": (_ADDRESS, [_ADDRESS, _NUMBER]),
    "quest22_decoder_norm": (_ADDRESS, [_ADDRESS, _NUMBER]),
    "quest22_round": (None, [_ADDRESS, _NUMBER, _ADDRESS]),
    "quest22_begin": (_NUMBER, [_ADDRESS, _NUMBER, *[_ADDRESS] * 4]),
    "quest22_step": (_NUMBER, [_ADDRESS] * 7),
    "quest22_log_mel": (None, [_ADDRESS, _NUMBER, _ADDRESS, _LONG, _NUMBER, _ADDRESS, _LONG]),
    "quest22_likeliest": (_REAL, [_ADDRESS, _NUMBER, _ADDRESS]),
}
"""What each function gives and takes, as its ``EXPORT`` says; arrays by address."""
ENCODER_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "quest22_encoder_runs": (_NUMBER, [_ADDRESS, _NUMBER]),
    "quest22_encoder_open": (_ADDRESS, [_ADDRESS, _NUMBER, _NUMBER]),
    "quest22_encoder_close": (None, [_ADDRESS]),
    "quest22_encoder_linear": (_ADDRESS, [_ADDRESS, _NUMBER]),
    "quest22_encoder_norm": (_ADDRESS, [_ADDRESS, _NUMBER]),
    "quest22_encoder_put_places": (None, [_ADDRESS, _ADDRESS]),
    "quest22_listen": (_NUMBER, [_ADDRESS, _NUMBER, _ADDRESS, _ADDRESS, _ADDRESS]),
}
"""What only libraries have that multiply in bfloat16."""

_log = logging.getLogger("quest22")


def open_library() -> ctypes.CDLL | None:
    """The native library, the same object each time; None where OpenVINO does its work.

    Raises :class:`UsageError` where ``$QUEST22_NATIVE`` says what is not understood.
    """
    found = _of_this_machine()
    return found[1] if found else None


def instruction_set() -> str | None:
    """What the native library was compiled for, such as ``avx512``; None where there is none."""
    found = _of_this_machine()
    return found[0] if found else None


def has_encoder(library: ctypes.CDLL) -> bool:
    """Whether a library has the encoder too."""
    return hasattr(library, "quest22_encoder_open")


def elements(library: ctypes.CDLL | None) -> frozenset[str]:
    """What a library's decoder multiplies: ``f32``, and ``bf16`` where it was compiled for that."""
    if library is None:
        return frozenset()
    return frozenset({"f32", "bf16"} if has_encoder(library) else {"f32"})


def best_library(
    folder: Path, flags: frozenset[str], only: str | None = None
) -> tuple[str, ctypes.CDLL] | None:
    """The first library in ``folder`` that these flags suit and that opens, with its set's name.

    ``only``: the library for this set, or none.
    """
    for name in suitable(folder, flags):
        opened = _open(_path(folder, name)) if only in (None, name) else None
        if opened is not None:
            return name, opened
    return None


def suitable(folder: Path, flags: frozenset[str]) -> list[str]:
    """Instruction sets that these flags suit and whose libraries are there, best first."""
    suited = (name for name, needed in NEEDED_FLAGS.items() if needed <= flags)
    return [name for name in suited if _path(folder, name).is_file()]


def _open(path: Path) -> ctypes.CDLL | None:
    try:
        return _declared(ctypes.CDLL(str(path)))
    except (OSError, AttributeError) as exc:  # damaged, or another version's
        _log.warning("native library left out, as it cannot be opened: %s", exc)
        return None


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    more = ENCODER_FUNCTIONS if has_encoder(library) else {}
    for name, (gives, takes) in (FUNCTIONS | more).items():
        function = getattr(library, name)
        function.restype, function.argtypes = gives, takes
    if (found := library.quest22_interface()) != INTERFACE:
        raise OSError(f"its interface is {found}, expected {INTERFACE}: install again")
    return library


def _path(folder: Path, name: str) -> Path:
    return folder / f"quest22-{name}.so"


def _of_this_machine() -> tuple[str, ctypes.CDLL] | None:
    return _chosen(native_library())


@cache
def _chosen(said: str) -> tuple[str, ctypes.CDLL] | None:
    """What ``$QUEST22_NATIVE`` allows: all libraries, none, or the one for an instruction set."""
    if said not in ("on", "off", *NEEDED_FLAGS):
        known = ", ".join(NEEDED_FLAGS)
        raise UsageError(f"QUEST22_NATIVE is {said!r}: expected on, off or one of {known}")
    flags = frozenset(processor_flags())
    return None if said == "off" else best_library(FOLDER, flags, None if said == "on" else said)
