from __future__ import annotations

import shutil
import sysconfig
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

import hatch_build

ROOT = Path(hatch_build.__file__).parent
PLATFORM = hatch_build.target_platform()
GOOD = "int answer(void) { return 42; }\n"
BAD = "int answer(void) { return }\n"
NO_BF16 = '#ifdef __AVX512BF16__\n#error "not this one"\n#endif\n' + GOOD

needs_platform = pytest.mark.skipif(
    PLATFORM not in hatch_build.INSTRUCTION_SETS, reason=f"no native library for {PLATFORM}"
)
needs_compiler = pytest.mark.skipif(
    PLATFORM not in hatch_build.INSTRUCTION_SETS or not hatch_build.compiler(),
    reason=f"no C compiler, or no native library for {PLATFORM}",
)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small one: this product's way of building, and C that compiles."""
    monkeypatch.delenv("QUEST22_BUILD_NATIVE", raising=False)
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, tmp_path)
    native = tmp_path / hatch_build.NATIVE
    (native / "csrc").mkdir(parents=True)
    (native / "__init__.py").touch()
    (native / hatch_build.SOURCE).write_text(GOOD)
    (native / "csrc" / "decoder_step.h").touch()
    return tmp_path


def _wheel(checkout: Path, version: str = "standard") -> tuple[str, set[str]]:
    """The platform of the wheel that is built, and the files of its native room."""
    builder = WheelBuilder(str(checkout))
    (built,) = builder.build(directory=str(checkout / "dist"), versions=[version])
    names = zipfile.ZipFile(built).namelist()
    room = "quest22/native/"
    inside = {name.removeprefix(room) for name in names if name.startswith(room)}
    return Path(built).stem.split("-", 3)[-1], inside - {"__init__.py"}


def _libraries(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.so")}


EXPECTED = {f"quest22-{name}.so" for name in hatch_build.INSTRUCTION_SETS.get(PLATFORM, ())}


@needs_compiler
def test_a_wheel_has_the_libraries_and_fits_any_python_of_its_platform(checkout: Path) -> None:
    tag = f"none-{PLATFORM.replace('-', '_')}"
    assert _wheel(checkout) == (tag, EXPECTED)
    assert not _libraries(checkout / hatch_build.NATIVE)


@needs_compiler
def test_an_editable_install_has_them_beside_their_source(checkout: Path) -> None:
    native = checkout / hatch_build.NATIVE
    assert _wheel(checkout, "editable") == ("none-any", set())
    assert {path.name for path in native.iterdir()} == EXPECTED | {*("__init__.py", "csrc")}


@needs_compiler
def test_what_was_made_of_other_sources_goes(checkout: Path, capsys) -> None:
    native = checkout / hatch_build.NATIVE
    _wheel(checkout, "editable")
    (native / hatch_build.SOURCE).write_text(BAD)
    _wheel(checkout, "editable")
    assert not _libraries(native)
    assert "native.c:1:" in capsys.readouterr().err


@needs_compiler
def test_what_was_compiled_is_kept_until_sources_or_flags_change(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands, compile_one = [], hatch_build.compile_library

    def counted(command: list[str], source: Path, library: Path) -> str:
        commands.append(command)
        return compile_one(command, source, library)

    def installed() -> int:
        """How many were compiled; all are there."""
        commands.clear()
        assert not hatch_build.build(native / hatch_build.SOURCE, native, kept=kept)
        assert _libraries(native) == EXPECTED
        assert len(list(kept.iterdir())) == len(EXPECTED)
        return len(commands)

    native, kept = checkout / hatch_build.NATIVE, checkout / hatch_build.KEPT
    monkeypatch.setattr(hatch_build, "compile_library", counted)
    monkeypatch.setattr(hatch_build, "__file__", str(checkout / "hatch_build.py"))
    assert hatch_build.check() == 0
    assert installed() == 0
    (native / "csrc" / "decoder_step.h").write_text("/* other */\n")
    assert installed() == len(EXPECTED)
    assert installed() == 0
    monkeypatch.setattr(hatch_build, "COMMON", [*hatch_build.COMMON, "-O1"])
    assert installed() == len(EXPECTED)
    assert hatch_build.check() == 0
    assert len(commands) == 2 * len(EXPECTED)


@needs_compiler
@pytest.mark.skipif(PLATFORM != "linux-x86_64", reason="one library alone")
def test_one_that_fails_leaves_the_others(checkout: Path, capsys) -> None:
    (checkout / hatch_build.NATIVE / hatch_build.SOURCE).write_text(NO_BF16)
    assert _wheel(checkout)[1] == EXPECTED - {"quest22-avx512_bf16.so"}
    (line,) = capsys.readouterr().err.splitlines()
    assert "quest22-avx512_bf16.so: " in line
    assert "not this one" in line


@needs_compiler
def test_another_program_can_link_what_the_compiler_compiles(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler, said = " ".join(hatch_build.compiler()), checkout / "linked"
    linker = checkout / "linker"
    linker.write_text(f'#!/bin/sh\necho "$@" >> {said}\nexec {compiler} "$@"\n')
    linker.chmod(0o755)
    monkeypatch.setenv("QUEST22_LINKER", str(linker))
    assert _wheel(checkout)[1] == EXPECTED
    commands = said.read_text().splitlines()
    assert len(commands) == len(EXPECTED)
    assert all(".o -lm" in command and ".c" not in command for command in commands)


@needs_compiler
def test_what_a_linker_refuses_is_left_out(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setenv("QUEST22_LINKER", "no-such-linker")
    assert _wheel(checkout) == ("none-any", set())
    assert "no-such-linker" in capsys.readouterr().err


@pytest.mark.parametrize(
    "platform", ["macosx-10.9-x86_64", "win-amd64", "win-arm64", "linux-riscv64"]
)
@pytest.mark.parametrize("version", ["standard", "editable"])
def test_on_other_platforms_the_wheel_is_pure(
    platform: str, version: str, checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(sysconfig, "get_platform", lambda: platform)
    assert _wheel(checkout, version) == ("none-any", set())
    assert not _libraries(checkout / hatch_build.NATIVE)
    (line,) = capsys.readouterr().err.splitlines()
    known_as = platform.replace("-10.9", "")
    assert f"native.c: no instruction set is known for {known_as}" in line


@pytest.mark.parametrize(
    ("platform", "processor", "target", "tag"),
    [
        ("linux-x86_64", "x86_64", "linux-x86_64", "py3-none-linux_x86_64"),
        ("linux-aarch64", "aarch64", "linux-aarch64", "py3-none-linux_aarch64"),
        ("macosx-14.0-arm64", "arm64", "macosx-arm64", "py3-none-macosx_14_0_arm64"),
        ("macosx-10.9-universal2", "arm64", "macosx-arm64", "py3-none-macosx_11_0_arm64"),
        ("macosx-10.9-universal2", "x86_64", "macosx-x86_64", "py3-none-macosx_11_0_x86_64"),
        ("win-amd64", "AMD64", "win-amd64", "py3-none-win_amd64"),
    ],
)
def test_what_is_built_for_and_which_machines_a_wheel_fits(
    platform: str, processor: str, target: str, tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysconfig, "get_platform", lambda: platform)
    monkeypatch.setattr(hatch_build, "machine", lambda: processor)
    assert (hatch_build.target_platform(), hatch_build.wheel_tag()) == (target, tag)


@needs_platform
def test_without_a_compiler_a_line_is_said_and_the_wheel_is_pure(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(checkout))
    assert _wheel(checkout) == ("none-any", set())
    (line,) = capsys.readouterr().err.splitlines()
    assert "no C compiler found (cc, gcc, clang): install one, such as gcc" in line


def test_it_can_be_left_out(checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setenv("QUEST22_BUILD_NATIVE", "no")
    assert _wheel(checkout) == ("none-any", set())
    assert not capsys.readouterr().err


@needs_platform
@pytest.mark.parametrize(
    ("setting", "error", "message"),
    [
        ("require", RuntimeError, r"cannot be built: native\.c: no C compiler found \(no-such-cc"),
        ("maybe", ValueError, "'maybe': expected yes, no or require"),
    ],
)
def test_what_is_required_and_what_is_not_understood(
    setting: str, error: type, message: str, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "no-such-cc -m64")
    monkeypatch.setenv("QUEST22_BUILD_NATIVE", setting)
    with pytest.raises(error, match=message):
        _wheel(checkout)


@needs_compiler
def test_a_warning_is_an_error_where_code_is_checked(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    monkeypatch.setattr(hatch_build, "__file__", str(checkout / "hatch_build.py"))
    assert hatch_build.check() == 0
    (checkout / hatch_build.NATIVE / hatch_build.SOURCE).write_text("static int unused;\n")
    assert hatch_build.check() == 1
    assert "unused" in capfd.readouterr().err
