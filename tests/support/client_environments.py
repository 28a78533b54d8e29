"""Environments of unmodified clients, as their users install them: made once, kept in a cache.

``python -m tests.support.client_environments`` makes all of them at the same time, so that no test
waits for a download. Their versions are pinned in ``clients/``: a list of requirements for each
environment of Python, and one lock file for the packages of npm.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from quest22.system.locks import wait_for_lock

PINNED = Path(__file__).parent / "clients"
HOME = Path.home() / ".cache" / "quest22-test-clients"
COMPLETE = "complete"
INSTALL_S = 600
AT_ONCE = 2


def python_with(client: str) -> Path:
    """A Python with what ``clients/{client}.txt`` pins, and no more; skips if it cannot be made."""
    requirements = PINNED / f"{client}.txt"

    def make(folder: Path) -> None:
        _run(sys.executable, "-m", "venv", "--without-pip", str(folder))
        pip = (sys.executable, "-m", "pip", "--python", str(_python(folder)), "install")
        _run(*pip, "--quiet", "--no-compile", "--requirement", str(requirements))

    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return _python(_made(f"{client}-{version}", [requirements], make))


def node_with_clients() -> tuple[Path, Path]:
    """A Node, and a folder whose scripts find the packages of npm; skips as above."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    pins = [PINNED / "package.json", PINNED / "package-lock.json"]

    def make(folder: Path) -> None:
        folder.mkdir(parents=True)
        for each in pins:
            shutil.copy(each, folder)
        _run(npm, "ci", "--silent", "--no-audit", "--no-fund", cwd=folder)

    folder = _made("node", pins, make)
    return folder / "node_modules" / "node" / "bin" / "node", folder


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


def make_all() -> None:
    """Make what is not there yet; what cannot be made is said, and its tests are skipped."""
    clients = sorted(path.stem for path in PINNED.glob("*.txt"))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        pool.submit(_made_or_said, node_with_clients)
        for client in clients:
            pool.submit(_made_or_said, python_with, client)


def _made_or_said(make: Callable[..., object], *client: str) -> None:
    try:
        make(*client)
    except pytest.skip.Exception as exc:
        print(exc, file=sys.stderr)


def _made(name: str, pins: list[Path], make: Callable[[Path], None]) -> Path:
    content = b"\n".join(each.read_bytes() for each in pins)
    folder = HOME / f"{name}-{hashlib.sha256(content).hexdigest()[:16]}"
    with _alone(folder):
        if not (folder / COMPLETE).exists():
            shutil.rmtree(folder, ignore_errors=True)
            try:
                make(folder)
            except (subprocess.SubprocessError, OSError) as exc:
                shutil.rmtree(folder, ignore_errors=True)
                pytest.skip(f"{name} cannot be installed: {exc}")
            (folder / COMPLETE).touch()
    return folder


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Other processes wait."""
    HOME.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("wb") as lock:
        wait_for_lock(lock)
        yield


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _run(*command: str, cwd: Path | None = None) -> None:
    subprocess.run(command, cwd=cwd, check=True, capture_output=True, timeout=INSTALL_S)


if __name__ == "__main__":
    make_all()
