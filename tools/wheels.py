"""Build what a release is made of, and check it as a user installs it.

``python -m tools.wheels build`` writes into ``dist/``:

* the source distribution;
* on Linux, a wheel with the native libraries for each platform that has some, for any Python 3 and
  any C library since glibc 2.17. For this machine's platform the installed C compiler compiles
  them, so the code is as fast as in an installation from source, and Zig, which knows the symbols
  of all versions of glibc, only links them; for another platform Zig compiles them too;
* a pure wheel, in which OpenVINO computes everything, for all other machines.

All wheels are built from the source distribution. ``python -m tools.wheels check`` installs each
file that this machine can run into an empty environment, with dependencies from the package index:
wheels without a C compiler in reach. There it runs ``quest22 doctor`` and ``quest22 demo``. Of
wheels for other platforms, it reads what libraries they hold, and for which machine.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path

import hatch_build

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
PLATFORM = sysconfig.get_platform()
GLIBC = (2, 17)
"""The oldest C library that the wheels run on."""
MACHINES = {"linux-x86_64": "x86_64", "linux-aarch64": "aarch64"}
"""The machine of each platform that wheels with libraries are built for."""
ELF_MACHINES = {"x86_64": 62, "aarch64": 183}
"""The numbers of machines in the header of a library (``e_machine``)."""
DEFAULTS = {"PYTHONPATH": "", "PYTHONUTF8": "1", "QUEST22_NATIVE": "", "QUEST22_BUILD_NATIVE": ""}
"""What is installed runs as it does for a user who has set nothing."""


def build() -> None:
    """Build all that a release on this platform has, in place of what ``dist/`` has."""
    shutil.rmtree(DIST, ignore_errors=True)
    _run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", DIST)
    with tempfile.TemporaryDirectory() as folder:
        for platform in with_libraries():
            _manylinux(platform, Path(folder, platform))
    _wheel(DIST, {"QUEST22_BUILD_NATIVE": "no"})
    for built in sorted(DIST.iterdir()):
        print(f"{built.stat().st_size / 1e6:6.1f} MB  {built.name}")


def with_libraries() -> list[str]:
    """The platforms that this machine builds wheels with libraries for: its own first."""
    if not PLATFORM.startswith("linux-"):
        return []
    known = [each for each in MACHINES if each in hatch_build.INSTRUCTION_SETS]
    return sorted(known, key=lambda each: each != PLATFORM)


def libraries_of(platform: str) -> set[str]:
    """The names of the libraries that a platform has."""
    return {f"quest22-{name}.so" for name in hatch_build.INSTRUCTION_SETS.get(platform, ())}


def _manylinux(platform: str, folder: Path) -> None:
    """Build the wheel with the libraries of a platform; ``folder`` is for what is made before."""
    zig = f"{sys.executable} -m ziglang cc -target {MACHINES[platform]}-linux-gnu"
    zig = f"{zig}.{'.'.join(map(str, GLIBC))}"
    built_for = {"QUEST22_BUILD_PLATFORM": platform, "QUEST22_LINKER": zig}
    if platform != PLATFORM:
        built_for["CC"] = f"{zig} -g0"  # by itself, Zig adds what a debugger reads
    began_s = time.monotonic()
    _wheel(folder, {"QUEST22_BUILD_NATIVE": "require", **built_for})
    print(f"{platform}: libraries compiled and linked in {time.monotonic() - began_s:.0f} s")
    (wheel,) = folder.glob("*.whl")
    auditwheel = (sys.executable, "-m", "auditwheel")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    tag = "manylinux_{}_{}_{}".format(*GLIBC, MACHINES[platform])
    # The oldest tag that has all symbols: by name, auditwheel knows those of this machine alone.
    _run(*auditwheel, "repair", "--plat", "auto", "-w", DIST, wheel, variables={"PATH": path})
    print(_run(*auditwheel, "show", only(f"*{tag}*.whl")).strip(), end="\n\n")


def check() -> None:
    """Install each file of ``dist/`` as a user does, and run it. Exits with 1 at the first fault.

    All are installed into one environment in turn, so that dependencies are fetched once.
    """
    libraries = libraries_of(hatch_build.target_platform())
    for platform in with_libraries():
        if platform != PLATFORM:
            _check_contents(only(f"*manylinux*_{MACHINES[platform]}.whl"), platform)
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder, "environment")
        venv.create(environment, with_pip=True, symlinks=os.name != "nt")
        programs = environment / ("Scripts" if os.name == "nt" else "bin")
        no_compiler = DEFAULTS | {"PATH": str(programs), "CC": ""}
        cases: list[tuple[str, Mapping[str, str], set[str]]] = [
            ("*none-any.whl", no_compiler, set()),
            ("*.tar.gz", DEFAULTS, libraries),
        ]
        if PLATFORM in with_libraries():
            mine = f"*manylinux*_{MACHINES[PLATFORM]}.whl"
            cases.insert(0, (mine, no_compiler, libraries))
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


def _check_contents(file: Path, platform: str) -> None:
    """Check that a wheel for another platform holds its libraries, for its machine."""
    with zipfile.ZipFile(file) as wheel:
        found = {
            Path(name).name: int.from_bytes(wheel.read(name)[18:20], "little")
            for name in wheel.namelist()
            if name.endswith(".so")
        }
    expected = dict.fromkeys(libraries_of(platform), ELF_MACHINES[MACHINES[platform]])
    if found != expected:
        sys.exit(f"{file.name}: expected libraries and ELF machines {expected}, found {found}")
    print(f"\n{file.name}\n{len(found)} libraries for {platform}, not run here")


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
    # Every processor that has AVX2 or NEON runs one of the libraries.
    known = "AVX2" in report or "NEON" in report
    if libraries and known and "native library for" not in report:
        sys.exit("no native library was loaded")
    print(next(line for line in run(quest22, "demo").splitlines() if "× real time" in line))


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
