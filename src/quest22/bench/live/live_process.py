"""A program under measurement in its own process: fed sound as it is spoken, read at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from quest22.bench.live.peers import LivePeer
from quest22.bench.live.peers.live_pipe import FRAME
from quest22.bench.live.processes import processor_s, resident_bytes
from quest22.bench.live.reference import Sound
from quest22.bench.live.timeline import Update
from quest22.bench.worker_process import WorkerError
from quest22.records import SAMPLE_RATE_HZ, Samples

BLOCK_S = 0.04
"""Sound is passed on in blocks of this duration, when their last sample has been spoken."""

MEMORY_EVERY_S = 1.0

END_S = 30.0
"""A program has so long after the end of the sound to bring out what is left."""

LOG_TAIL_CHARS = 2000


@dataclass(frozen=True, slots=True)
class Played:
    """What came of the sounds that were played at once.

    ``updates`` has those of each session, with times from its own beginning. ``memory`` are samples
    of the process's memory: seconds, bytes. ``late_s`` is by how much the feeder was behind the
    clock at worst, because the program did not take the sound. ``unended`` counts sessions whose
    text was not out :data:`END_S` after their sound.
    """

    updates: tuple[tuple[Update, ...], ...]
    memory: tuple[tuple[float, int], ...]
    idle_bytes: int
    processor_s: float
    seconds: float
    late_s: float
    unended: int


@dataclass(slots=True)
class _Inbox:
    """What the worker has written: lines with the times at which they came."""

    lines: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    ended: set[int] = field(default_factory=set)
    closed: bool = False


class LiveProcess:
    """A worker with a loaded program, for one playing of sounds."""

    def __init__(self, peer: LivePeer, job: Mapping[str, Any], log: Path) -> None:
        """Start the worker; :meth:`wait` returns when it has loaded."""
        self.peer = peer
        self.about = ""
        self._log = log
        self._overdue = False
        with log.open("w") as file:
            self._process = subprocess.Popen(  # noqa: S603 -- our own module or script
                peer.command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                start_new_session=True,
            )
        self._inbox = _Inbox()
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._write(
            json.dumps({**job, "policy": peer.policy, "program": peer.executable}).encode() + b"\n"
        )

    def wait(self) -> None:
        """Wait until the program is loaded; raises :class:`WorkerError` if that fails."""
        with self._changed:
            self._changed.wait_for(lambda: self._inbox.lines or self._inbox.closed)
        if not self._inbox.lines:
            raise self._failure()
        self.about = self._inbox.lines.pop(0)[1]["about"]

    def play(self, sounds: Sequence[Sound], stagger_s: float) -> Played:
        """Play one sound into each session, each begun ``stagger_s`` after the one before.

        Raises :class:`WorkerError` if the program fails.
        """
        idle_bytes, before_s = resident_bytes(self._process.pid), processor_s(self._process.pid)
        begin_s = time.monotonic()
        watch = _MemoryWatch(self._process.pid, begin_s)
        limit_s = max(n * stagger_s + each.duration_s for n, each in enumerate(sounds)) + 2 * END_S
        timer = threading.Timer(limit_s, self._end_overdue)
        timer.start()
        try:
            late_s = self._feed(sounds, stagger_s, begin_s)
            self._wait_for_ends(len(sounds))
        finally:
            timer.cancel()
            watch.stop()
        if self._inbox.closed:
            raise self._failure()
        return Played(
            updates=self._updates(len(sounds), stagger_s, begin_s),
            memory=tuple(watch.samples),
            idle_bytes=idle_bytes,
            processor_s=processor_s(self._process.pid) - before_s,
            seconds=time.monotonic() - begin_s,
            late_s=late_s,
            unended=len(sounds) - len(self._inbox.ended),
        )

    def _end_overdue(self) -> None:
        """The program takes its sound so late that there is no use in waiting."""
        self._overdue = True
        self._signal()

    def kill(self) -> None:
        """Kill the process and its children."""
        self._signal()
        with suppress(BrokenPipeError):
            _pipe(self._process.stdin).close()
        self._reader.join()
        _pipe(self._process.stdout).close()
        self._process.wait()

    def _signal(self) -> None:
        with suppress(ProcessLookupError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:  # Windows has no process groups to kill
                self._process.kill()

    def _feed(self, sounds: Sequence[Sound], stagger_s: float, begin_s: float) -> float:
        """Write each block when its end has been spoken; returns how late the latest was."""
        late_s = 0.0
        for due_s, session, block in schedule([sound.samples for sound in sounds], stagger_s):
            pause_s = begin_s + due_s - time.monotonic()
            if pause_s > 0:
                time.sleep(pause_s)
            self._write(FRAME.pack(session, len(block)) + block)
            late_s = max(late_s, time.monotonic() - begin_s - due_s)
        return late_s

    def _write(self, content: bytes) -> None:
        try:
            pipe = _pipe(self._process.stdin)
            pipe.write(content)
            pipe.flush()
        except BrokenPipeError as exc:
            raise self._failure() from exc

    def _wait_for_ends(self, count: int) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._inbox.ended) == count or self._inbox.closed, timeout=END_S
            )

    def _read(self) -> None:
        for line in _pipe(self._process.stdout):
            at_s = time.monotonic()
            values = json.loads(line)
            with self._changed:
                if values.get("ended"):
                    self._inbox.ended.add(values["session"])
                else:
                    self._inbox.lines.append((at_s, values))
                self._changed.notify_all()
        with self._changed:
            self._inbox.closed = True
            self._changed.notify_all()

    def _updates(
        self, count: int, stagger_s: float, begin_s: float
    ) -> tuple[tuple[Update, ...], ...]:
        sessions: list[list[Update]] = [[] for _ in range(count)]
        for at_s, values in self._inbox.lines:
            session = values["session"]
            sessions[session].append(_update(at_s - begin_s - session * stagger_s, values))
        return tuple(map(tuple, sessions))

    def _failure(self) -> WorkerError:
        self.kill()
        if self._overdue:
            return WorkerError(
                f"{self.peer.name} does not keep up: it takes sound over {END_S:g} s late"
            )
        log = self._log.read_text(encoding="utf-8", errors="replace")
        lines = log[-LOG_TAIL_CHARS:].strip().splitlines()
        last = lines[-1] if lines else f"exit code {self._process.returncode}"
        return WorkerError(f"{self.peer.name} failed: {last}; its log is {self._log}")


def schedule(sounds: Sequence[Samples], stagger_s: float) -> list[tuple[float, int, bytes]]:
    """When to pass on which block of which session, in order of time; empty blocks end sessions."""
    step = round(BLOCK_S * SAMPLE_RATE_HZ)
    blocks: list[tuple[float, int, bytes]] = []
    for session, samples in enumerate(sounds):
        pcm = (np.clip(samples, -1, 1) * np.float32(32767)).astype("<i2")
        begin_s = session * stagger_s
        for start in range(0, len(pcm), step):
            block = pcm[start : start + step]
            due_s = begin_s + (start + len(block)) / SAMPLE_RATE_HZ
            blocks.append((due_s, session, block.tobytes()))
        blocks.append((begin_s + len(pcm) / SAMPLE_RATE_HZ, session, b""))
    return sorted(blocks, key=lambda block: block[0])


def _update(at_s: float, values: Mapping[str, Any]) -> Update:
    return Update(
        at_s,
        values["segment"],
        values["kept"],
        tuple(values["committed"]),
        tuple(values["tail"]),
        final=values["final"],
    )


class _MemoryWatch:
    """Asks for a process's memory, now and then, in a thread."""

    def __init__(self, pid: int, begin_s: float) -> None:
        self.samples: list[tuple[float, int]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(pid, begin_s), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self, pid: int, begin_s: float) -> None:

        while True:
            self.samples.append((time.monotonic() - begin_s, resident_bytes(pid)))
            if self._stop.wait(MEMORY_EVERY_S):
                return


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise WorkerError("the worker process has no pipe")
    return stream
