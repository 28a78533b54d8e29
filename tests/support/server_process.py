"""A server in a process of its own, whose memory, files, threads and tasks are counted."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType
from typing import Any

import pytest

from tests.support.peak_memory import FORGET_THE_PEAK

START_S, END_S, ANSWER_S = 60.0, 60.0, 20.0

linux_only = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="counts what a process holds as Linux shows it"
)


@dataclass(frozen=True)
class Held:
    """What a process holds. ``temporary``: open files that have no name."""

    sockets: int
    files: int
    temporary: int
    threads: int
    tasks: Counter[str] = field(default_factory=Counter)
    thread_names: Counter[str] = field(default_factory=Counter)


class ServerProcess:
    """``quest22 serve`` with nano; ``arguments`` are more of its flags."""

    def __init__(self, *arguments: str, port: int = 0, env: dict[str, str] | None = None) -> None:
        command = [sys.executable, "-m", "tests.support.counted_server", "serve", "-m", "nano"]
        command += [
            "--threads",
            "1",
        ]  # threads that wait for each other take long on a busy machine
        self.process = subprocess.Popen(
            [*command, "--port", str(port), *arguments],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                **(env or {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._log: list[str] = []
        self._told: Queue[str] = Queue()
        self._readers = [
            threading.Thread(target=self._read, args=each, daemon=True)
            for each in (
                (self.process.stdout, self._told.put),
                (self.process.stderr, self._log.append),
            )
        ]
        for reader in self._readers:
            reader.start()
        self.host, self.port = self._address()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        return "".join(self._log)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def websocket_url(self) -> str:
        return f"ws://{self.host}:{self.port}"

    def connect(
        self, timeout_s: float = ANSWER_S, receive_bytes: int | None = None
    ) -> socket.socket:
        """A bare connection; with a small ``receive_bytes`` the server soon cannot send more."""
        made = socket.socket()
        if receive_bytes is not None:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        made.settimeout(timeout_s)
        try:
            made.connect((self.host, self.port))
        except OSError:
            made.close()
            raise
        return made

    def held(self) -> Held:
        """What it holds now."""
        links = list(self._targets())
        kinds = Counter("socket" if link.startswith("socket:") else "file" for link in links)
        told = self._tell()
        return Held(
            sockets=kinds["socket"],
            files=kinds["file"],
            temporary=sum(tempfile.gettempdir() in link and "deleted" in link for link in links),
            threads=int(self._status("Threads")),
            tasks=Counter(told["tasks"]),
            thread_names=Counter(told["threads"]),
        )

    @property
    def memory_mb(self) -> float:
        return int(self._status("VmRSS").split()[0]) / 1024

    @property
    def peak_mb(self) -> float:
        """The most since :meth:`forget_peak`, or its start."""
        return int(self._status("VmHWM").split()[0]) / 1024

    def forget_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text(FORGET_THE_PEAK)

    def terminate(self) -> None:
        """Ask it to end, as an operator does."""
        self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def wait(self, timeout_s: float = END_S) -> int:
        """Its exit code."""
        return self.process.wait(timeout_s)

    def close(self) -> None:
        """End it; kill it if it does not."""
        if self.process.poll() is None:
            self.terminate()
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGUSR2)
                time.sleep(1)
                self.kill()
                pytest.fail(f"the server did not end:\n{self.log}")
        for reader in self._readers:
            reader.join()
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _targets(self) -> Iterator[str]:
        """What its open files are."""
        for each in Path(f"/proc/{self.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed since it was listed
                yield str(each.readlink())

    def _read(self, pipe: Any, take: Callable[[str], None]) -> None:
        for line in pipe:
            take(line)

    def _address(self) -> tuple[str, int]:
        until(lambda: "serving at" in self.log or self.process.poll() is not None, START_S)
        found = re.search(r"http://([\d.]+):(\d+)", self.log)
        if found is None:
            raise AssertionError(f"the server did not start:\n{self.log}")
        return found[1], int(found[2])

    def _tell(self) -> Any:
        self.process.send_signal(signal.SIGUSR1)
        try:
            return json.loads(self._told.get(timeout=ANSWER_S))
        except Empty:
            self.process.send_signal(signal.SIGUSR2)
            time.sleep(1)
            raise AssertionError(f"the server's event loop stands still:\n{self.log}") from None

    def _status(self, name: str) -> str:
        lines = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith(f"{name}:"))


def until(true: Callable[[], object], seconds: float = ANSWER_S, every_s: float = 0.05) -> bool:
    """Wait until something is true; whether it became so in time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(every_s)
    return True
