"""The C under the compiler's own checks: of memory, of undefined behaviour, of threads."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import hatch_build
from quest22.native import library
from quest22.system.machine import processor_flags

HERE = Path(__file__).parent
SETS = {
    name: flags
    for name, flags in hatch_build.INSTRUCTION_SETS.get(hatch_build.target_platform(), {}).items()
    if library.NEEDED_FLAGS[name] <= set(processor_flags())
}

BEST = list(SETS)[-1:]
"""The one that this processor runs; the others are made of the same C."""

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "name",
    [pytest.param(each, marks=[] if each in BEST else [pytest.mark.long]) for each in SETS],
)
@pytest.mark.parametrize(
    ("program", "checks"),
    [
        ("walk.c", "address,undefined"),
        pytest.param("walk.c", "thread", marks=pytest.mark.long),
        ("wrong_arguments.c", "address,undefined"),
        ("forks.c", "address,undefined"),  # the thread sanitizer allows no threads in a child
    ],
)
def test_nothing_is_wrong(name: str, program: str, checks: str, tmp_path: Path) -> None:
    command = hatch_build.compiler()
    if not command:
        pytest.skip("no C compiler")
    compiled_program = tmp_path / "program"
    checked = [f"-fsanitize={checks}", "-fno-sanitize-recover=undefined", "-O1", "-g"]
    flags = [flag for flag in hatch_build.COMMON if flag not in ("-shared", "-fPIC", "-O3")]
    sources = [f"-I{library.FOLDER / 'csrc'}", str(HERE / program), "-lm"]
    compiled = subprocess.run(
        [*command, *flags, "-Wno-psabi", *SETS[name], *checked, *sources, "-o", compiled_program],
        check=False,
        capture_output=True,
        text=True,
    )
    if "cannot find" in compiled.stderr:
        pytest.skip(f"this compiler has no library for -fsanitize={checks}")
    assert compiled.returncode == 0, compiled.stderr
    ended = subprocess.run([compiled_program], check=False, capture_output=True, text=True)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("", "", 0)
