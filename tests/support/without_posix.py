"""Runs quest22 as if this system were no POSIX system, as far as that can be pretended.

Used as a script: ``python -m tests.support.without_posix imports`` imports every module of the
core, ``collect`` finds all tests as pytest does, and any other arguments are those of the command
``quest22``. What Windows lacks is hidden from ``quest22`` and its tests alone where libraries need
it to find out on which system they are.
"""

from __future__ import annotations

import builtins
import importlib
import io
import mmap
import os
import pkgutil
import signal
import sys
from contextlib import suppress
from types import ModuleType
from typing import Any

MODULES = frozenset(
    {"crypt", "curses", "fcntl", "grp", "nis", "posix", "pty", "pwd", "readline", "resource",
     "spwd", "syslog", "termios", "tty"}
)  # fmt: skip
OS_NAMES = (
    "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "chroot", "fchmod", "fork", "geteuid", "getpgid",
    "getuid", "killpg", "mkfifo", "nice", "sched_getaffinity", "sched_setaffinity", "setsid",
    "sysconf", "wait3", "wait4",
)  # fmt: skip
SIGNALS = ("SIGALRM", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGUSR1", "SIGUSR2")
FOLDERS = ("/proc", "/sys", "/dev")
OURS = frozenset({"benchmarks", "quest22", "recipes", "tests", "tools"})
EXTRAS = ("quest22.bench.peers", "quest22.cluster.ray.", "quest22.engine.torch.")


def disguise() -> None:
    """Hide what Windows lacks; to be called before anything else is imported."""
    _hide_modules()
    for name in OS_NAMES:
        if hasattr(os, name):
            delattr(os, name)
    for name in SIGNALS:
        if hasattr(signal, name):
            delattr(signal, name)
    for name in dir(mmap):
        if name.startswith("MADV_"):
            delattr(mmap, name)
    _hide_folders()


def _hide_modules() -> None:
    """From what is ours alone: ``subprocess`` and others look for them to know the system."""
    real_import, real_import_module = builtins.__import__, importlib.import_module
    msvcrt = _msvcrt()

    def found(name: str, importer: str) -> ModuleType | None:
        if importer.partition(".")[0] not in OURS:
            return None
        if name == "msvcrt":
            return msvcrt
        if name.partition(".")[0] in MODULES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None

    def import_(name: str, scope: Any = None, *rest: Any, **more: Any) -> Any:
        return found(name, (scope or {}).get("__name__", "")) or real_import(
            name, scope, *rest, **more
        )

    def import_module(name: str, package: str | None = None) -> ModuleType:
        importer = sys._getframe(1).f_globals.get("__name__", "")
        return found(name, importer) or real_import_module(name, package)

    builtins.__import__ = import_
    importlib.import_module = import_module


def _msvcrt() -> ModuleType:
    """Windows' locks by those of this system."""
    import fcntl

    module = ModuleType("msvcrt")

    def locking(handle: int, mode: int, _count: int) -> None:
        fcntl.flock(handle, mode)

    module.LK_NBLCK = fcntl.LOCK_EX | fcntl.LOCK_NB  # type: ignore[attr-defined]
    module.LK_UNLCK = fcntl.LOCK_UN  # type: ignore[attr-defined]
    module.locking = locking  # type: ignore[attr-defined]
    return module


def _hide_folders() -> None:
    """Files of the system's own folders cannot be opened."""
    real_open = io.open

    def open_(file: Any, *rest: Any, **more: Any) -> Any:
        path = os.fspath(file) if isinstance(file, str | os.PathLike) else ""
        hidden = isinstance(path, str) and path.startswith(tuple(f"{each}/" for each in FOLDERS))
        if hidden and path != os.devnull:
            raise FileNotFoundError(2, "No such file or directory", path)
        return real_open(file, *rest, **more)

    io.open = builtins.open = open_  # type: ignore[assignment]


def import_all() -> list[str]:
    """Import every module of the core, without those that need an extra."""
    import quest22

    names = [
        found.name
        for found in pkgutil.walk_packages(quest22.__path__, "quest22.")
        if not found.name.startswith((*EXTRAS, "quest22.native.quest22-"))
        and not found.name.endswith("_worker")
        and found.name != "quest22.__main__"
    ]
    for name in names:
        importlib.import_module(name)
    return names


def collect() -> int:
    """Collect all tests, as pytest does before it runs any; returns its exit code."""
    import pytest

    with suppress(ImportError):
        import ray  # noqa: F401 -- it asks for the system's page size

    class Disguised:
        def pytest_collection(self) -> None:
            """Once all plugins are loaded: they look at the system."""
            disguise()
            import quest22.system

            quest22.system.WINDOWS = True  # for what tests leave out there

    options = ["--collect-only", "-q", "-p", "no:cacheprovider"]
    return int(pytest.main(options, plugins=[Disguised()]))


if __name__ == "__main__":
    if sys.argv[1:] == ["collect"]:
        sys.exit(collect())
    disguise()
    if sys.argv[1:] == ["imports"]:
        print(*import_all(), sep="\n")
        sys.exit(0)
    from quest22.cli.main import main

    sys.exit(main())
