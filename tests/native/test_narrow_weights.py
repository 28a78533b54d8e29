"""Weights of four and eight bits beside scalar code, for each instruction set: where the processor
does not have it, emulated."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import hatch_build
from quest22.native import library
from quest22.system.machine import processor_flags
from tests.native.test_emulated import MACROS

HERE = Path(__file__).parent
FLAGS = set(processor_flags())
EMULATED = {name: [f"-I{HERE / 'emulation'}", *macros] for name, macros in MACROS.items()}

pytestmark = pytest.mark.skipif(not hatch_build.compiler(), reason="no C compiler")


@pytest.mark.parametrize(
    "name", ["avx2", *(pytest.param(name, marks=pytest.mark.slow) for name in EMULATED)]
)
def test_packing_widening_and_products(name: str, tmp_path: Path) -> None:
    if not library.NEEDED_FLAGS["avx2"] <= FLAGS:
        pytest.skip("this processor has no AVX2")
    flags = [flag for flag in hatch_build.COMMON if flag not in ("-shared", "-fPIC", "-O3")]
    flags += [*hatch_build.AVX2, *EMULATED.get(name, ()), "-Wno-psabi", "-Og"]
    sources = [f"-I{library.FOLDER / 'csrc'}", str(HERE / "narrow_weights.c"), "-lm"]
    command = [*hatch_build.compiler(), *flags, *sources, "-o", str(tmp_path / "program")]
    compiled = subprocess.run(command, check=False, capture_output=True, text=True)
    assert compiled.returncode == 0, compiled.stderr
    ended = subprocess.run([str(tmp_path / "program")], check=False, capture_output=True, text=True)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("", "", 0)
