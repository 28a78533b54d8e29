"""Streams hostile data files in a process of their own, which tells what came and its memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from quest22.errors import SourceError
from quest22.metrics import Metrics
from quest22.records import Clip
from quest22.settings import DatasetSettings
from quest22.source.dataset import DatasetSource
from tests.support.peak_memory import peak_growth_mb

WARM_UP_MIB = 400
"""What libraries take when a first file is read, and a row of 64 MiB; bombs are larger."""


@dataclass(frozen=True)
class Streamed:
    """``heard``: keys of clips; ``reasons``: of failures in order; ``error``: what ended it."""

    heard: list[str]
    reasons: list[str]
    error: str | None
    grown_mib: float


def streamed(path: Path, files: Sequence[Path] = (), timeout_s: float = 120) -> Streamed:
    """What a process of its own reads from a data file."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, str(path), *map(str, files)],
        capture_output=True,
        check=False,
        env={**os.environ, "USE_TORCH": "0"},
        text=True,
        timeout=timeout_s,
    )
    assert done.returncode == 0, done.stderr
    return Streamed(*json.loads(done.stdout))


def _main(path: str, *files: str) -> None:
    heard: list[str] = []
    reasons: list[str] = []
    error = None
    with peak_growth_mb() as grown:
        try:
            for result in DatasetSource(DatasetSettings(path, data_files=files), Metrics()):
                if isinstance(result, Clip):
                    heard.append(result.key)
                else:
                    reasons.append(result.reason)
        except SourceError as exc:
            error = str(exc)
    print(json.dumps([heard, reasons, error, *grown]))


if __name__ == "__main__":
    _main(*sys.argv[1:])
