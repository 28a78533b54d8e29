"""A benchmarked program in its own process, seen from the process that measures it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from quest22.bench.peers import Peer
from quest22.bench.worker import END, RUN
from quest22.bench.workload import Workload
from quest22.errors import Quest22Error

LOG_TAIL_CHARS = 2000


class WorkerError(Quest22Error):
    """A program failed; the others continue."""


@dataclass(frozen=True, slots=True)
class TimedRun:
    """One run of the workload; ``cpu_s`` is the time of all its threads on a processor."""

    seconds: float
    cpu_s: float
    tokens: int
    windows: int
    parts: Mapping[str, float] = field(default_factory=dict)


class WorkerProcess:
    """A program with a workload, in its own process and memory."""

    def __init__(self, peer: Peer, workload: Workload) -> None:
        """Start the process, which loads the model; :meth:`wait` returns when it has."""
        self.peer = peer
        self.workload = workload
        self.about = ""
        self._log = Path(workload.scratch) / f"{peer.name}.log"
        with self._log.open("a") as log:
            self._process = subprocess.Popen(  # noqa: S603 -- our own module
                [sys.executable, "-m", peer.module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                bufsize=1,
                start_new_session=True,
            )
        self._send(workload.to_json() + "\n")

    def wait(self) -> None:
        """Wait until the model is loaded; raises :class:`WorkerError` if that fails."""
        self.about = self._receive()["about"]

    def run(self) -> TimedRun:
        """Run the workload once; raises :class:`WorkerError` if it fails."""
        self._send(RUN)
        return TimedRun(**self._receive())

    def end(self) -> int:
        """End the process; returns its peak memory in bytes."""
        self._send(END)
        return int(self._receive()["peak_bytes"])

    def kill(self) -> None:
        """Kill the process and its children; also needed after :meth:`end`.

        A child process that a library leaves behind would hold the pipes open for ever.
        """
        with suppress(ProcessLookupError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:  # Windows has no process groups to kill
                self._process.kill()
        with suppress(BrokenPipeError):
            self._process.communicate()

    def _send(self, line: str) -> None:
        try:
            _pipe(self._process.stdin).write(line)
        except BrokenPipeError as exc:
            raise self._failure() from exc

    def _receive(self) -> Any:
        line = _pipe(self._process.stdout).readline()
        if not line:
            raise self._failure()
        return json.loads(line)

    def _failure(self) -> WorkerError:
        self._process.wait()
        log = self._log.read_text(encoding="utf-8", errors="replace")
        lines = log[-LOG_TAIL_CHARS:].strip().splitlines()
        last = lines[-1] if lines else f"exit code {self._process.returncode}"
        return WorkerError(f"{self.peer.name} failed: {last}")


def _pipe(stream: IO[str] | None) -> IO[str]:
    if stream is None:
        raise WorkerError("the worker process has no pipe")
    return stream
