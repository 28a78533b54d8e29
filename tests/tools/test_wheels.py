from __future__ import annotations

import re
import sys
import zipfile
from contextlib import nullcontext
from pathlib import Path

import pytest

import hatch_build
from tools import wheels


@pytest.fixture
def dist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(wheels, "DIST", tmp_path)
    return tmp_path


def test_every_linux_with_libraries_has_a_wheel_of_its_own() -> None:
    linux = {each for each in hatch_build.INSTRUCTION_SETS if each.startswith("linux-")}
    assert set(wheels.MACHINES) >= linux
    assert set(wheels.with_libraries()) in (linux, set())
    assert set(wheels.ELF_MACHINES) == set(wheels.MACHINES.values())


@pytest.mark.parametrize(
    ("name", "machine", "fault"),
    [
        ("quest22-neon.so", 183, None),
        ("quest22-neon.so", 62, "found {'quest22-neon.so': 62}"),
        ("quest22-sve.so", 183, "found {'quest22-sve.so': 183}"),
    ],
)
def test_a_wheel_for_another_machine_is_looked_into(
    name: str, machine: int, fault: str | None, dist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(hatch_build.INSTRUCTION_SETS, "linux-aarch64", {"neon": []})
    file = dist / "quest22-1-py3-none-manylinux_2_17_aarch64.whl"
    with zipfile.ZipFile(file, "w") as wheel:
        header = b"\x7fELF" + bytes(14) + machine.to_bytes(2, "little")
        wheel.writestr(f"quest22/native/{name}", header)
    with pytest.raises(SystemExit, match=re.escape(fault)) if fault else nullcontext():
        wheels._check_contents(file, "linux-aarch64")


@pytest.mark.parametrize(
    ("files", "found"), [((), "none"), (("a-1.whl", "a-2.whl"), "a-1.whl, a-2.whl")]
)
def test_one_file_of_each_kind_is_checked(files: tuple[str, ...], found: str, dist: Path) -> None:
    for name in files:
        (dist / name).touch()
    with pytest.raises(SystemExit, match=rf"expected one file, found {found}; run `make wheels`"):
        wheels.only("*.whl")


def test_a_command_that_fails_is_shown_with_all_it_said() -> None:
    code = "import sys; print('built'); sys.exit('not linked')"
    with pytest.raises(SystemExit, match=r"(?s)-c import sys.*built.*not linked"):
        wheels._run(sys.executable, "-c", code)
