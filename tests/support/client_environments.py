"""Environments of unmodified clients, as their users install them: made once, kept in a cache."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from quest22.system.locks import wait_for_lock

HOME = Path.home() / ".cache" / "quest22-test-clients"
COMPLETE = "complete"
INSTALL_S = 600


def python_with(*requirements: str) -> Path:
    """A Python with pinned packages from PyPI, and no others; skips the test if it cannot be."""

    def make(folder: Path) -> None:
        _run(sys.executable, "-m", "venv", str(folder))
        _run(str(_python(folder)), "-m", "pip", "install", "--quiet", *requirements)

    return _python(_made("python", requirements, make))


def node_with(*packages: str) -> tuple[Path, Path]:
    """A Node and a folder whose scripts find pinned packages of npm; skips as above.

    ``node@22`` among the packages is that Node; else the machine's own.
    """
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")

    def make(folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
        _run(npm, "install", "--silent", "--no-audit", "--no-fund", *packages, cwd=folder)

    folder = _made("node", packages, make)
    own = folder / "node_modules" / "node" / "bin" / "node"
    return own if own.exists() else Path(shutil.which("node") or "node"), folder


def run_client(*command: str | Path, cwd: Path | None = None, timeout_s: float = 1200) -> str:
    """What a program of a client prints; fails with what it says on its way out."""
    done = subprocess.run(
        [str(each) for each in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def _made(kind: str, requirements: tuple[str, ...], make: Callable[[Path], None]) -> Path:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    text = "\n".join((kind, version if kind == "python" else "", *sorted(requirements)))
    folder = HOME / f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    with _alone(folder):
        if not (folder / COMPLETE).exists():
            shutil.rmtree(folder, ignore_errors=True)
            try:
                make(folder)
            except (subprocess.SubprocessError, OSError) as exc:
                shutil.rmtree(folder, ignore_errors=True)
                pytest.skip(f"{' '.join(requirements)} cannot be installed: {exc}")
            (folder / COMPLETE).touch()
    return folder


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Other test runs wait."""
    HOME.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("wb") as lock:
        wait_for_lock(lock)
        yield


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _run(*command: str, cwd: Path | None = None) -> None:
    subprocess.run(command, cwd=cwd, check=True, capture_output=True, timeout=INSTALL_S)
