"""Which native library runs here: the one for the best instruction set of this processor.

``hatch_build.py`` compiles one library for each set of the platform, where it finds a C compiler.
Where none is that this processor can run, there is none, and OpenVINO does the work.
"""

from __future__ import annotations

import ctypes
import logging
from functools import cache
from pathlib import Path

from quest22.machine import processor_flags
from quest22.settings import native_library_wanted

FOLDER = Path(__file__).parent
_AVX2 = frozenset({"avx2", "fma", "f16c", "bmi2"})
_AVX512 = _AVX2 | {"avx512f", "avx512bw", "avx512vl", "avx512dq"}
NEEDED_FLAGS = {
    "avx512_bf16": _AVX512 | {"avx512_vnni", "avx512_bf16"},
    "avx512": _AVX512,
    "avx2": _AVX2,
    "neon": frozenset({"asimd"}),
}
"""By instruction set, best first: the processor's flags without which its library cannot run."""

_log = logging.getLogger("quest22")


def open_library() -> ctypes.CDLL | None:
    """The native library, the same object each time; None where OpenVINO does its work."""
    found = _of_this_machine()
    return found[1] if found else None


def instruction_set() -> str | None:
    """What the native library was compiled for, such as ``avx512``; None where there is none."""
    found = _of_this_machine()
    return found[0] if found else None


@cache
def best_library(folder: Path, flags: frozenset[str]) -> tuple[str, ctypes.CDLL] | None:
    """The first library in ``folder`` that these flags suit and that opens, with its set's name."""
    for name in suitable(folder, flags):
        opened = _open(_path(folder, name))
        if opened is not None:
            return name, opened
    return None


def suitable(folder: Path, flags: frozenset[str]) -> list[str]:
    """Instruction sets that these flags suit and whose libraries are there, best first."""
    suited = (name for name, needed in NEEDED_FLAGS.items() if needed <= flags)
    return [name for name in suited if _path(folder, name).is_file()]


def _open(path: Path) -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(str(path))
    except OSError as exc:
        _log.warning("native library left out, as it cannot be opened: %s", exc)
        return None


def _path(folder: Path, name: str) -> Path:
    return folder / f"decoder-{name}.so"


def _of_this_machine() -> tuple[str, ctypes.CDLL] | None:
    if not native_library_wanted():
        return None
    return best_library(FOLDER, frozenset(processor_flags()))
