"""The code for AVX-512 and AVX-VNNI on processors without them: their instructions emulated in C.

``emulation/immintrin.h`` has portable twins of the AVX-512 intrinsics that the library uses. Where
the processor has the instructions, the twins are compared with them, bit by bit. Those of AVX-VNNI
(``emulation_avx_vnni``) need AVX2. What compilers make of the library for those instruction sets
runs only on processors that have them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import hatch_build
from quest22.native import library
from quest22.system.machine import processor_flags

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FLAGS = set(processor_flags())
MACROS = {"avx512": [], "avx512_bf16": ["-D__AVX512BF16__", "-D__AVX512VNNI__"]}
"""What the compiler defines for an instruction set, where the library's code depends on it."""
TESTED = ["tests/engine/native", "tests/audio/test_log_mel.py"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.long,
    pytest.mark.skipif(not hatch_build.compiler(), reason="no C compiler"),
]


def _compile(*arguments: str | Path) -> None:
    command = [*hatch_build.compiler(), "-std=c11", "-O2", "-Wno-psabi", *arguments, "-lm"]
    compiled = subprocess.run(command, check=False, capture_output=True, text=True)
    assert compiled.returncode == 0, compiled.stderr


def _avx2() -> list[str]:
    """The flags for AVX2 where it is there, to be faster."""
    return hatch_build.AVX2 if {"avx2", "fma", "f16c", "bmi2"} <= FLAGS else []


@pytest.mark.parametrize("name", [name for name in MACROS if library.NEEDED_FLAGS[name] <= FLAGS])
def test_emulated_instructions_give_the_bits_of_the_processors(name: str, tmp_path: Path) -> None:
    program = tmp_path / "program"
    flags = hatch_build.INSTRUCTION_SETS["linux-x86_64"][name]
    _compile(*flags, "-ffp-contract=off", HERE / "emulated.c", "-o", program)
    ended = subprocess.run([program], check=False, capture_output=True, text=True)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("", "", 0)


def test_the_libraries_pass_their_tests_emulated(tmp_path: Path) -> None:
    common = [flag for flag in hatch_build.COMMON if flag not in ("-O3", "-std=c11")]
    source = library.FOLDER / hatch_build.SOURCE
    for name, macros in MACROS.items():
        emulated = [f"-I{HERE / 'emulation'}", *macros, *_avx2()]
        _compile(*common, *emulated, source, "-o", tmp_path / f"quest22-{name}.so")
    if _avx2():
        emulated = [f"-I{HERE / 'emulation_avx_vnni'}", *_avx2()]
        _compile(*common, *emulated, source, "-o", tmp_path / "quest22-avx_vnni.so")
    options = ["-q", "-p", "no:cacheprovider", "-p", "tests.native.emulated_plugin"]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-m", "not slow and not reference", *TESTED],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"QUEST22_TEST_EMULATED": str(tmp_path)},
    )
    assert ended.returncode == 0, ended.stdout
    assert "skipped" not in ended.stdout, ended.stdout
