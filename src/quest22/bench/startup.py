"""Measures the time from starting the command to its first transcript."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import soundfile

from quest22.env import with_cache_folder
from quest22.errors import Quest22Error
from quest22.records import SAMPLE_RATE_HZ, Samples

TOKENS = 20


def time_to_first_transcript(
    folder: Path, model: str, clip: Samples, rounds: int, options: Sequence[str] = ()
) -> tuple[float, float]:
    """Seconds with an empty cache of compiled graphs, and the median with a warm one.

    ``options`` are passed to the command. In both cases the model and the programs are in the
    system's file cache, and the text is 20 tokens long. Raises :class:`Quest22Error` if the command
    fails.
    """
    audio_file, cache = folder / "first.wav", folder / "cache"
    soundfile.write(audio_file, clip[: 5 * SAMPLE_RATE_HZ], SAMPLE_RATE_HZ)
    command = [sys.executable, "-m", "quest22", "transcribe", str(audio_file), "--model", model]
    # One window: with timestamps, random weights would continue from any random time.
    command += ["--quiet", "--no-timestamps", "--max-new-tokens", str(TOKENS)]
    command += ["--language", "en", "--temperature", "0", "-f", "jsonl", *options]
    _timed(command, cache)
    shutil.rmtree(cache, ignore_errors=True)
    cold_s = _timed(command, cache)
    return cold_s, median(_timed(command, cache) for _ in range(rounds))


def _timed(command: list[str], cache: Path) -> float:
    start_s = time.perf_counter()
    with subprocess.Popen(  # noqa: S603 -- our own command
        command, env=with_cache_folder(cache), stdout=subprocess.PIPE
    ) as process:
        first = process.stdout.read(1) if process.stdout else b""
        seconds = time.perf_counter() - start_s
        process.communicate()
    if not first or process.returncode:
        raise Quest22Error(f"{' '.join(command)} failed: see above")
    return seconds
