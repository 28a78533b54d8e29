"""Build hook: compiles the native library for each instruction set of this platform.

hatchling runs it for wheels and for editable installs; ``src/quest22/native/library.py`` chooses
at run time which library to open. On platforms without an instruction set here, such as Windows
and Macs with Intel's processors, and where there is no C compiler, the wheel is pure Python and
OpenVINO computes everything. ``QUEST22_BUILD_NATIVE=no`` leaves the libraries out, ``=require``
makes it an error if one cannot be built. ``QUEST22_LINKER`` is a command that links them in the
place of the compiler, such as one that knows older C libraries. ``QUEST22_BUILD_PLATFORM`` names
another platform, such as ``linux-aarch64``, for which ``CC`` then has to compile. ``python
hatch_build.py --check`` compiles with every warning an error. Needs only Python and, for the hook,
hatchling.

Compiling takes minutes. What a check or an editable install compiles is kept in ``build/native``,
and an editable install takes from there what was made of the same sources in the same way. Wheels
are always compiled.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from platform import machine
from tempfile import TemporaryDirectory
from typing import Any

NATIVE = Path("src/quest22/native")
KEPT = Path("build/native")
SOURCE = "csrc/native.c"
COMPILERS = ("cc", "gcc", "clang")
COMMON = shlex.split(
    "-std=c11 -O3 -fno-math-errno -fno-trapping-math -ffp-contract=fast "
    "-fPIC -shared -pthread -fvisibility=hidden"
)
# -Wno-psabi: no vector is passed between libraries, so how that is done does not matter.
STRICT = ["-Wall", "-Wextra", "-Werror", "-Wno-psabi"]
AVX2 = ["-mavx2", "-mfma", "-mf16c", "-mbmi2"]
AVX_VNNI = [*AVX2, "-mavxvnni"]
AVX512 = [*AVX2, "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq"]
AVX512_BF16 = [*AVX512, "-mavx512vnni", "-mavx512bf16"]
X86 = {"avx2": AVX2, "avx_vnni": AVX_VNNI, "avx512": AVX512, "avx512_bf16": AVX512_BF16}
# Not by `-march`, which Zig does not know.
ARM: dict[str, list[str]] = {"neon": [], "neon_dotprod": ["-DQUEST22_DOTPROD"]}
# Every Mac with Apple's processors has these instructions.
MACOS = {"neon_dotprod": [*ARM["neon_dotprod"], "-arch", "arm64", "-mmacosx-version-min=11.0"]}
INSTRUCTION_SETS: dict[str, dict[str, list[str]]] = {
    "linux-x86_64": X86,
    "linux-aarch64": ARM,
    "macosx-arm64": MACOS,
}
"""The compiler flags for each instruction set, by platform as :func:`target_platform` names it."""


def build_mode() -> str:
    """The value of ``QUEST22_BUILD_NATIVE``: ``yes``, ``no`` or ``require``."""
    mode = os.environ.get("QUEST22_BUILD_NATIVE") or "yes"
    if mode not in ("yes", "no", "require"):
        raise ValueError(f"QUEST22_BUILD_NATIVE is {mode!r}: expected yes, no or require")
    return mode


def platform() -> str:
    """What is built for, by :func:`sysconfig.get_platform`'s names: this machine if not told.

    On a Mac, libraries are for one kind of processor, whatever Python is for.
    """
    found = os.environ.get("QUEST22_BUILD_PLATFORM") or sysconfig.get_platform()
    return f"macosx-11.0-{machine()}" if found.endswith("-universal2") else found


def target_platform() -> str:
    """The platform as :data:`INSTRUCTION_SETS` names it: a Mac's without its system's version."""
    return re.sub(r"^macosx-[\d.]+-", "macosx-", platform())


def compiler() -> list[str]:
    """The command for the C compiler: ``$CC``, else the first that is installed; empty if none."""
    named = shlex.split(os.environ.get("CC", ""))
    candidates = [named] if named else [[name] for name in COMPILERS]
    return next((command for command in candidates if shutil.which(command[0])), [])


def build(
    source: Path, folder: Path, warnings: list[str] | None = None, kept: Path | None = None
) -> dict[str, str]:
    """Compile a source for all instruction sets of this platform into a folder.

    Removes libraries that were built there before. Returns what could not be built, each with the
    compiler's message. ``warnings`` are the compiler's flags for them. Libraries are kept in the
    folder ``kept``, and taken from there if no warnings are asked for.
    """
    messages = _messages(source, folder, warnings or [], kept)
    for library in folder.glob("quest22-*.so"):
        if messages.get(library.name, "not made"):
            library.unlink()
    return {name: message for name, message in messages.items() if message}


def _messages(source: Path, folder: Path, warnings: list[str], kept: Path | None) -> dict[str, str]:
    """The compiler's message for each library; empty if it was made."""
    if build_mode() == "no":
        return {}
    if target_platform() not in INSTRUCTION_SETS:
        return {source.name: f"no instruction set is known for {target_platform()}"}
    command = compiler()
    if not command:
        named = os.environ.get("CC") or ", ".join(COMPILERS)
        return {source.name: f"no C compiler found ({named}): install one, such as gcc"}

    def compiled(name: str, flags: list[str]) -> tuple[str, str]:
        library = folder / f"quest22-{name}.so"
        arguments = [*command, *COMMON, *flags]
        known = kept / f"{name}-{_fingerprint(arguments, source)}.so" if kept else None
        if known and known.exists() and not warnings:
            _copy(known, library)
            return library.name, ""
        message = compile_library([*arguments, *warnings], source, library)
        if known and not message:
            _keep(library, known)
        return library.name, message

    sets = INSTRUCTION_SETS[target_platform()]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(pool.map(compiled, sets.keys(), sets.values()))


def _fingerprint(command: list[str], source: Path) -> str:
    """The same where a library is made of the same sources, by the same command and compiler."""
    version = subprocess.run([*compiler(), "--version"], capture_output=True, check=False)  # noqa: S603
    made_by = [shlex.join(command), os.environ.get("QUEST22_LINKER", "")]
    parts = [*(each.encode() for each in made_by), version.stdout]
    parts += [path.read_bytes() for path in sorted(source.parent.glob("*.[ch]"))]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _keep(library: Path, known: Path) -> None:
    """In the place of what was made of other sources."""
    known.parent.mkdir(parents=True, exist_ok=True)
    for old in known.parent.glob(f"{known.name.partition('-')[0]}-*.so"):
        old.unlink(missing_ok=True)
    _copy(library, known)


def _copy(source: Path, to: Path) -> None:
    """The copy appears once it is complete."""
    unfinished = to.with_name(f".{os.getpid()}-{to.name}")
    shutil.copy(source, unfinished)
    unfinished.replace(to)


def compile_library(command: list[str], source: Path, library: Path) -> str:
    """Compile one library, which appears once it is complete. Returns the error, or nothing."""
    unfinished = library.with_name(f".{os.getpid()}-{library.name}")
    object_file = unfinished.with_suffix(".o")
    linker = shlex.split(os.environ.get("QUEST22_LINKER", ""))
    steps = [[*command, "-o", str(unfinished), str(source), "-lm"]]
    if linker:
        linked = ["-shared", "-pthread", "-o", str(unfinished), str(object_file), "-lm"]
        steps = [[*command, "-c", "-o", str(object_file), str(source)], [*linker, *linked]]
    try:
        for step in steps:
            if error := _error_of(step):
                return error
        unfinished.replace(library)
    except OSError as exc:
        return str(exc)
    finally:
        unfinished.unlink(missing_ok=True)
        object_file.unlink(missing_ok=True)
    return ""


def _error_of(command: list[str]) -> str:
    english = os.environ | {"LC_ALL": "C"}
    ended = subprocess.run(command, capture_output=True, text=True, env=english)  # noqa: PLW1510, S603
    if ended.returncode == 0:
        return ""
    return ended.stderr.strip() or f"{command[0]} ended with {ended.returncode}"


def in_one_line(left_out: dict[str, str]) -> str:
    """What could not be built, each with the first error of its compiler."""
    parts = []
    for name, message in left_out.items():
        lines = message.splitlines()
        parts.append(f"{name}: {next((line for line in lines if 'error' in line), lines[0])}")
    return "; ".join(parts)


def wheel_tag() -> str:
    """Any Python 3 on this platform, as ctypes depends on no Python ABI."""
    return f"py3-none-{platform().replace('-', '_').replace('.', '_')}"


def get_build_hook() -> type:
    """The class that hatchling asks for; defined here so that the rest runs without hatchling."""
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface

    class NativeHook(BuildHookInterface):  # type: ignore[misc]
        """Puts libraries beside their source for an editable install, else only into the wheel."""

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            source = Path(self.root, NATIVE, SOURCE)
            if version == "editable":
                self.build(source, Path(self.root, NATIVE), Path(self.root, KEPT))
                return
            folder = self.beside_wheel()
            folder.mkdir(parents=True, exist_ok=True)
            self.build(source, folder)
            for library in sorted(folder.glob("*.so")):
                inside = NATIVE.relative_to("src") / library.name
                build_data |= {"tag": wheel_tag(), "pure_python": False}
                build_data["force_include"][str(library)] = inside.as_posix()

        def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
            shutil.rmtree(self.beside_wheel(), ignore_errors=True)

        def beside_wheel(self) -> Path:
            return Path(self.directory, "native")

        def build(self, source: Path, folder: Path, kept: Path | None = None) -> None:
            left_out = build(source, folder, kept=kept)
            if left_out and build_mode() == "require":
                raise RuntimeError(f"a native library cannot be built: {in_one_line(left_out)}")
            if left_out:
                self.app.display_warning(f"native library left out: {in_one_line(left_out)}")

    return NativeHook


def check() -> int:
    """Compile with every warning an error; print what the compiler reports. Returns the status."""
    if not compiler() or target_platform() not in INSTRUCTION_SETS:
        sys.stderr.write("no C compiler found for this platform: native code is not checked\n")
        return 0
    root = Path(__file__).parent
    with TemporaryDirectory() as folder:
        left_out = build(root / NATIVE / SOURCE, Path(folder), STRICT, root / KEPT)
    for name, message in left_out.items():
        sys.stderr.write(f"{name}:\n{message}\n")
    return 1 if left_out else 0


if __name__ == "__main__":
    if sys.argv[1:] != ["--check"]:
        sys.exit("usage: python hatch_build.py --check")
    sys.exit(check())
