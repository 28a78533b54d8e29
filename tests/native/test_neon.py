"""The code for ARM on any processor: compiled by a cross compiler, run by QEMU.

On Debian: ``apt install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static``. The
programs check themselves. One also shows results, which have to be those that AVX2 gives, with
AVX-VNNI's products of int8 where ARM's are used. A machine with an ARM processor runs all tests
natively.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import hatch_build
from quest22.native import library
from quest22.system.machine import processor_flags

HERE = Path(__file__).parent
COMPILER = "aarch64-linux-gnu-gcc"
QEMU = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
PROCESSORS = {"neon": "cortex-a72", "neon_dotprod": "neoverse-n1"}
"""For each instruction set, a processor that has it, as QEMU names it: the first has no more."""
CLOSE, LIMIT = 1e-4, 5e-3
"""How far nineteen of twenty results may differ, and all, of the largest number.

Where floats differ in their last bits, integers that they are rounded to may differ by one, and of
two scales for int4 that are as good the other may be taken.
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.long,
    pytest.mark.skipif(
        QEMU is None or shutil.which(COMPILER) is None,
        reason=f"needs {COMPILER} and qemu-aarch64-static",
    ),
]


def _compiled(compiler: list[str], program: str, flags: list[str], folder: Path) -> Path:
    to = folder / f"{program}-{compiler[0]}"
    common = [flag for flag in hatch_build.COMMON if flag not in ("-shared", "-fPIC", "-O3")]
    sources = [f"-I{library.FOLDER / 'csrc'}", str(HERE / program), "-lm"]
    command = [*compiler, *common, "-O1", *hatch_build.STRICT, *flags, *sources, "-o", str(to)]
    compiled = subprocess.run(command, check=False, capture_output=True, text=True)
    assert compiled.returncode == 0, compiled.stderr
    return to


def _on_arm(name: str, program: str, folder: Path, *arguments: str) -> str:
    flags = [*hatch_build.INSTRUCTION_SETS["linux-aarch64"][name], "-static"]
    compiled = _compiled([COMPILER], program, flags, folder)
    assert QEMU is not None
    command = [QEMU, "-cpu", PROCESSORS[name], compiled, *arguments]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (ended.stderr, ended.returncode) == ("", 0)
    return ended.stdout


@pytest.mark.parametrize("program", ["wrong_arguments.c", "narrow_weights.c"])
def test_nothing_is_wrong(program: str, tmp_path: Path) -> None:
    assert _on_arm("neon", program, tmp_path) == ""


@pytest.mark.parametrize("name", PROCESSORS)
def test_results_are_those_of_avx2(name: str, tmp_path: Path) -> None:
    if not library.NEEDED_FLAGS["avx2"] <= set(processor_flags()) or not hatch_build.compiler():
        pytest.skip("nothing to compare with: this machine has no AVX2, or no C compiler")
    emulated = [f"-I{HERE / 'emulation_avx_vnni'}"] if name == "neon_dotprod" else []
    flags = [*emulated, *hatch_build.AVX2]
    program = _compiled(hatch_build.compiler(), "walk.c", flags, tmp_path)
    ended = subprocess.run([program, "show"], check=True, capture_output=True, text=True)
    expected, found = _lines(ended.stdout), _lines(_on_arm(name, "walk.c", tmp_path, "show"))
    assert len(expected) > 200
    assert [what for what, _ in found] == [what for what, _ in expected]
    differences = [
        np.abs(mine - right).max() / np.abs(right).max()
        for (_, mine), (_, right) in zip(found, expected, strict=True)
    ]
    assert max(differences) <= LIMIT
    assert np.quantile(differences, 0.95) <= CLOSE


def _lines(shown: str) -> list[tuple[str, np.ndarray]]:
    """The names of results, and their numbers."""
    lines = [line.split() for line in shown.splitlines()]
    return [(name, np.array(numbers, np.float64)) for name, *numbers in lines]
