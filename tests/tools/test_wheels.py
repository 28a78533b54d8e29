from __future__ import annotations

import sys
from pathlib import Path

import pytest

import hatch_build
from tools import wheels


@pytest.fixture
def dist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(wheels, "DIST", tmp_path)
    return tmp_path


def test_every_platform_with_libraries_has_a_wheel_of_its_own() -> None:
    assert set(wheels.ZIG_AND_TAG) == set(hatch_build.INSTRUCTION_SETS)


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
