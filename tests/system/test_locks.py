from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO

import pytest

from quest22.system import locks

HOLDER = """
import sys
from quest22.system.locks import try_lock
with open(sys.argv[1], "ab") as file:
    print(try_lock(file), flush=True)
    sys.stdin.read()
"""


def held_elsewhere(path: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == b"True"
    return process


def test_a_lock_excludes_another_process_and_ends_with_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = held_elsewhere(path)
    with path.open("ab") as file:
        assert not locks.try_lock(file)
        assert not locks.try_lock(file, shared=True)
        holder.kill()
        holder.communicate()
        assert locks.try_lock(file, shared=True)


def test_who_waits_gets_it_when_the_holder_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = held_elsewhere(path)
    with path.open("ab") as file:
        waiting = threading.Thread(target=locks.wait_for_lock, args=[file])
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        holder.communicate()
        waiting.join(10)
        assert not waiting.is_alive()


class Msvcrt(SimpleNamespace):
    """Windows' byte-range locks, one holder a file: enough to run the code that calls them."""

    LK_NBLCK = 2

    def __init__(self) -> None:
        super().__init__(holders={})

    def locking(self, handle: int, mode: int, count: int) -> None:
        assert count == 1
        assert mode == self.LK_NBLCK
        if self.holders:
            raise OSError(13, "locked")
        self.holders[handle] = True

    def release(self, file: BinaryIO) -> None:
        """As the system does when the file is closed."""
        del self.holders[file.fileno()]


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Msvcrt:
    found = Msvcrt()
    monkeypatch.setattr(locks, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", found)
    monkeypatch.setattr(locks, "POLL_S", 0.001)
    return found


def opened(path: Path) -> BinaryIO:
    return path.open("ab")


def test_windows_locks_exclude_and_are_released(windows: Msvcrt, tmp_path: Path) -> None:
    with opened(tmp_path / "lock") as first, opened(tmp_path / "lock") as second:
        assert locks.try_lock(first)
        assert not locks.try_lock(second)
        waiting = threading.Thread(target=locks.wait_for_lock, args=[second])
        waiting.start()
        windows.release(first)
        waiting.join(10)
        assert not locks.try_lock(first)
        windows.release(second)
    assert not windows.holders
