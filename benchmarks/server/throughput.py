"""The same recordings through each program in turn: seconds of sound a second, and errors."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.accuracy.recordings import Recording
from benchmarks.accuracy.score import score, total
from benchmarks.server.clients import Uploads
from benchmarks.server.programs import Program, running
from quest22.errors import UsageError

WARM_FILES = 4


@dataclass(frozen=True, slots=True)
class Measured:
    """One program's turn. ``same`` counts texts equal to the command's, None if not compared."""

    name: str
    about: str
    seconds: float
    audio_s: float
    error_rate: float
    processor_s: float | None = None
    peak_bytes: int | None = None
    slowest_s: float | None = None
    failed: int = 0
    same: int | None = None

    @property
    def times_real_time(self) -> float:
        """Seconds of sound a second."""
        return self.audio_s / self.seconds


def of_server(
    program: Program, recordings: Sequence[Recording], clients: int, folder: Path
) -> tuple[Measured, tuple[str, ...]]:
    """Measure a server; also gives its texts. Raises :class:`UsageError` if it does not run."""
    files = [each.path for each in recordings]
    log = folder / f"{program.name.replace(' ', '-')}.log"
    with running(program, files[0], log) as served:
        Uploads(served.address, files[:WARM_FILES], clients).wait()
        used_s = served.processor_s
        done = Uploads(served.address, files, clients).wait()
        measured = Measured(
            program.name,
            program.about,
            done.seconds,
            audio_s(recordings),
            error_rate(recordings, done.texts),
            served.processor_s - used_s,
            served.peak_bytes,
            max(done.waits_s),
            len(done.errors),
        )
    return measured, done.texts


def of_command(
    model: str, language: str, recordings: Sequence[Recording]
) -> tuple[Measured, tuple[str, ...]]:
    """Measure ``quest22 transcribe`` from its first to its last recording, without its start.

    Raises :class:`UsageError` if it fails.
    """
    with tempfile.TemporaryDirectory(prefix="quest22-bench-") as name:
        stats, out = Path(name) / "stats.json", Path(name) / "texts"
        start = [sys.executable, "-m", "quest22", "transcribe", "-m", model, "-l", language, "-q"]
        files = [str(each.path) for each in recordings]
        done = subprocess.run(  # noqa: S603 -- our own module
            [*start, "--stats-json", str(stats), "-o", str(out), *files],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise UsageError(f"quest22 transcribe failed: {done.stderr.strip()[-300:]}")
        seconds = json.loads(stats.read_text(encoding="utf-8"))["elapsed_s"]
        texts = tuple(
            (out / f"{each.path.stem}.txt").read_text(encoding="utf-8").strip()
            for each in recordings
        )
    errors = error_rate(recordings, texts)
    about = "the batch command, without its start"
    return Measured("quest22 transcribe", about, seconds, audio_s(recordings), errors), texts


def audio_s(recordings: Sequence[Recording]) -> float:
    """Seconds of sound."""
    return sum(each.duration_s for each in recordings)


def error_rate(recordings: Sequence[Recording], texts: Sequence[str]) -> float:
    """Word errors of all together."""
    scores = [
        score(each.text, text, each.language) for each, text in zip(recordings, texts, strict=True)
    ]
    words = total(scores).errors.words
    return words.errors / max(words.total, 1)
