"""Build what a release is made of, and check it as a user installs it.

``python -m tools.wheels build`` writes three files into ``dist/``:

* the source distribution;
* on Linux x86-64, a wheel with the native libraries, for any Python 3 and any C library since
  glibc 2.17. The installed C compiler compiles them, so the code is as fast as in an installation
  from source; Zig, which knows the symbols of all versions of glibc, only links them;
* a pure wheel, in which OpenVINO computes everything, for all other machines.

Both wheels are built from the source distribution. ``python -m tools.wheels check`` installs each
file into an empty environment, with dependencies from the package index: wheels without a C
compiler in reach. There it runs ``quest22 doctor`` and ``quest22 demo``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Mapping
from pathlib import Path

import hatch_build

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
PLATFORM = sysconfig.get_platform()
GLIBC = (2, 17)
"""The oldest C library that the wheel runs on."""
ZIG_AND_TAG = {"linux-x86_64": ("x86_64-linux-gnu", "manylinux_{}_{}_x86_64")}
"""For each platform with libraries: Zig's name of it, and the tag of its wheel."""
DEFAULTS = {"PYTHONPATH": "", "PYTHONUTF8": "1", "QUEST22_NATIVE": "", "QUEST22_BUILD_NATIVE": ""}
"""What is installed runs as it does for a user who has set nothing."""


def build() -> None:
    """Build all that a release on this platform has, in place of what ``dist/`` has."""
    shutil.rmtree(DIST, ignore_errors=True)
    _run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", DIST)
    with tempfile.TemporaryDirectory() as folder:
        if PLATFORM in ZIG_AND_TAG:
            zig_target, tag = ZIG_AND_TAG[PLATFORM]
            version = ".".join(map(str, GLIBC))
            linker = f"{sys.executable} -m ziglang cc -target {zig_target}.{version}"
            _wheel(Path(folder), {"QUEST22_BUILD_NATIVE": "require", "QUEST22_LINKER": linker})
            (wheel,) = Path(folder).glob("*.whl")
            auditwheel = (sys.executable, "-m", "auditwheel")
            path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
            # Fails if a library needs symbols that the tag does not promise. It wants patchelf.
            repair = (*auditwheel, "repair", "--plat", tag.format(*GLIBC), "-w", DIST, wheel)
            _run(*repair, variables={"PATH": path})
            print(_run(*auditwheel, "show", only("*manylinux*.whl")).strip(), end="\n\n")
    _wheel(DIST, {"QUEST22_BUILD_NATIVE": "no"})
    for built in sorted(DIST.iterdir()):
        print(f"{built.stat().st_size / 1e6:6.1f} MB  {built.name}")


def check() -> None:
    """Install each file of ``dist/`` as a user does, and run it. Exits with 1 at the first fault.

    All are installed into one environment in turn, so that dependencies are fetched once.
    """
    libraries = {f"quest22-{name}.so" for name in hatch_build.INSTRUCTION_SETS.get(PLATFORM, ())}
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder, "environment")
        venv.create(environment, with_pip=True, symlinks=os.name != "nt")
        programs = environment / ("Scripts" if os.name == "nt" else "bin")
        no_compiler = DEFAULTS | {"PATH": str(programs), "CC": ""}
        cases: list[tuple[str, Mapping[str, str], set[str]]] = [
            ("*none-any.whl", no_compiler, set()),
            ("*.tar.gz", DEFAULTS, libraries),
        ]
        if PLATFORM in ZIG_AND_TAG:
            cases.insert(0, ("*manylinux*.whl", no_compiler, libraries))
        for pattern, variables, expected in cases:
            _check_one(only(pattern), programs, variables, expected)
    print(f"\n{len(cases)} files install and run")


def only(pattern: str) -> Path:
    """The one file of ``dist/`` of this name. Exits with a line if it is not one."""
    found = sorted(DIST.glob(pattern))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        sys.exit(f"dist/{pattern}: expected one file, found {names}; run `make wheels`")
    return found[0]


def _wheel(folder: Path, variables: Mapping[str, str]) -> None:
    """Build a wheel from the source distribution."""
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-cache-dir")
    _run(
        *(sys.executable, "-m", "pip", "wheel", *options, "-w", folder, only("*.tar.gz")),
        variables=variables,
    )


def _check_one(
    file: Path, programs: Path, variables: Mapping[str, str], libraries: set[str]
) -> None:
    """Install a file in place of the one before, and run it outside the clone."""

    def run(*command: str | Path) -> str:
        return _run(*command, variables=variables, folder=programs)

    print(f"\n{file.name}", flush=True)
    python, quest22 = programs / "python", programs / "quest22"
    pip = (python, "-m", "pip")
    run(*pip, "uninstall", "--quiet", "--yes", "quest22")
    run(*pip, "install", "--quiet", "--no-cache-dir", "--no-compile", file)
    where = "import quest22, pathlib; print(pathlib.Path(quest22.__file__).parent / 'native')"
    found = {path.name for path in Path(run(python, "-c", where).strip()).glob("*.so")}
    if found != libraries:
        sys.exit(f"libraries: expected {sorted(libraries)}, found {sorted(found)}")
    report = run(quest22, "doctor")
    print(next(line for line in report.splitlines() if " native " in line))
    # Every processor that has AVX2 runs one of the libraries.
    if libraries and "AVX2" in report and "native library for" not in report:
        sys.exit("no native library was loaded")
    print("\n".join(run(quest22, "demo").splitlines()[-4:]))


def _run(
    *command: str | Path, variables: Mapping[str, str] | None = None, folder: Path = ROOT
) -> str:
    """What a command prints; exits with all of it if the command fails."""
    changed = os.environ | dict(variables or {})
    arguments = [str(part) for part in command]
    ended = subprocess.run(  # noqa: S603
        arguments, cwd=folder, env=changed, capture_output=True, encoding="utf-8", check=False
    )
    if ended.returncode != 0:
        sys.exit(f"{' '.join(arguments)}\n{ended.stdout}{ended.stderr}")
    return ended.stdout


def main() -> None:
    """``build`` or ``check``."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("action", choices=("build", "check"))
    {"build": build, "check": check}[parser.parse_args().action]()


if __name__ == "__main__":
    main()
