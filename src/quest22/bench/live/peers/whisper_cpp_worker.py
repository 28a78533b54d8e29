"""whisper.cpp's stream example: the program itself, whose microphone is a pipe.

SDL's ``disk`` driver reads samples from a file instead of a device. The program redraws its current
line at each step, and begins a new one every few seconds; a line that has ended is committed.
"""

from __future__ import annotations

import os
import queue
import re
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from live_pipe import Job, OpenSession, Updates, serve

ERASE = "\33[2K\r"
"""Before each line that it draws."""

SAMPLE_RATE_HZ = 16_000
BLOCK_S = 0.1

REST_S = 4.0
"""The program has no end of its own: after the sound it is given silence for so long."""


def load(job: Job) -> tuple[str, OpenSession]:
    """Nothing to load: each session is a process with its own copy of the model."""
    step_ms, length_ms = job["policy"].split("/")
    command = [job["program"], "-m", job["files"]["ggml"], "-l", job["language"] or "auto"]
    command += [
        "--step",
        step_ms,
        "--length",
        length_ms,
        "-t",
        str(job["threads"] or os.cpu_count()),
    ]
    about = f"stream example, --step {step_ms} --length {length_ms}, float16"
    return about, lambda updates: _Session(command, updates)


class _Session:
    def __init__(self, command: list[str], updates: Updates) -> None:
        self._updates = updates
        self._blocks: queue.Queue[bytes | None] = queue.Queue()
        self._pipe = Path(tempfile.mkdtemp()) / "microphone"
        os.mkfifo(self._pipe)
        driver = ("SDL_AUDIODRIVER=disk", "SDL_DISKAUDIODELAY=0")
        microphone = ("env", *driver, f"SDL_DISKAUDIOFILEIN={self._pipe}")
        self._process = subprocess.Popen(  # noqa: S603 -- the program that the user named
            [*microphone, *command], stdout=subprocess.PIPE
        )
        threading.Thread(target=self._write, daemon=True).start()
        threading.Thread(target=self._read, daemon=True).start()

    def feed(self, pcm: bytes) -> None:
        self._blocks.put(pcm)

    def end(self) -> None:
        self._blocks.put(None)

    def _write(self) -> None:
        with self._pipe.open("wb", buffering=0) as microphone:
            while (pcm := self._blocks.get()) is not None:
                samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
                microphone.write(samples.tobytes())
            for _ in range(round(REST_S / BLOCK_S)):
                microphone.write(bytes(4 * round(BLOCK_S * SAMPLE_RATE_HZ)))
                time.sleep(BLOCK_S)
            self._process.terminate()

    def _read(self) -> None:
        """Take what is drawn; the last line is committed when the program has ended."""
        if self._process.stdout is None:
            raise RuntimeError("the program has no pipe")
        lines = Lines()
        while content := os.read(self._process.stdout.fileno(), 65536):
            lines.take(content.decode("utf-8", errors="replace"))
            self._updates.show(" ".join(lines.ended), lines.current)
        self._updates.show(" ".join([*lines.ended, lines.current]), "")
        self._updates.ended()


class Lines:
    """What the program has drawn: lines that have ended, and the current one.

    Without what it says of sound that is no speech, in brackets.
    """

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.current = ""
        self._drawn = ""

    def take(self, text: str) -> None:
        """More of what it writes."""
        *ended, self._drawn = (self._drawn + text).split("\n")
        self.ended += [line for each in ended if (line := _words(each))]
        self.current = _words(self._drawn)


def _words(drawn: str) -> str:
    return re.sub(r"[\[(].*?[\])]", "", drawn.rpartition(ERASE)[2]).strip()


if __name__ == "__main__":
    serve(load)
