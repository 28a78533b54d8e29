"""A contender seen from outside: a process that is started, told to run, and ended."""

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
from quest22.bench.serving import END, RUN
from quest22.bench.workload import Workload
from quest22.errors import Quest22Error

LAST_WORDS = 2000


class ContenderError(Quest22Error):
    """A contender could not do the work; the others go on."""


@dataclass(frozen=True, slots=True)
class Lap:
    """One run of the work."""

    seconds: float
    tokens: int
    windows: int
    parts: Mapping[str, float] = field(default_factory=dict)


class Contender:
    """A peer at a workload, in a process of its own with its own memory."""

    def __init__(self, peer: Peer, workload: Workload) -> None:
        """Start the process; it loads meanwhile. :meth:`wait` waits until it has."""
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
        self._say(workload.to_json() + "\n")

    def wait(self) -> None:
        """Raises :class:`ContenderError` where it could not load."""
        self.about = self._answer()["about"]

    def run(self) -> Lap:
        """One run; raises :class:`ContenderError` where it breaks down."""
        self._say(RUN)
        return Lap(**self._answer())

    def end(self) -> int:
        """End it; the most bytes of memory that it held."""
        self._say(END)
        return int(self._answer()["peak_bytes"])

    def kill(self) -> None:
        """End it at once, whatever it does, and what it has started; also after :meth:`end`.

        A process that a library left behind would hold the pipes open for ever.
        """
        with suppress(ProcessLookupError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:  # Windows has no process groups to kill
                self._process.kill()
        with suppress(BrokenPipeError):
            self._process.communicate()

    def _say(self, line: str) -> None:
        try:
            _pipe(self._process.stdin).write(line)
        except BrokenPipeError as exc:
            raise self._broken() from exc

    def _answer(self) -> Any:
        line = _pipe(self._process.stdout).readline()
        if not line:
            raise self._broken()
        return json.loads(line)

    def _broken(self) -> ContenderError:
        self._process.wait()
        lines = (
            self._log.read_text(encoding="utf-8", errors="replace")[-LAST_WORDS:]
            .strip()
            .splitlines()
        )
        last = lines[-1] if lines else f"exit code {self._process.returncode}"
        return ContenderError(f"{self.peer.name} could not do the work: {last}")


def _pipe(stream: IO[str] | None) -> IO[str]:
    if stream is None:
        raise ContenderError("a contender has no pipe")
    return stream
