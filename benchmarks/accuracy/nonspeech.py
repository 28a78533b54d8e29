"""An hour of each recipe of sound in which nobody speaks, as sets of recordings.

The recipes are those of ``quest22 bench live``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.accuracy import recordings
from benchmarks.accuracy.recordings import Recording
from quest22.bench.live.nonspeech import make
from quest22.records import Samples

PIECES, PIECE_S = 6, 600
"""An hour of each recipe, in recordings of ten minutes: the parts "first" and "rest"."""

VERSION = 1
"""To be raised when a recipe changes: then the recordings are made anew."""


def write(name: str, folder: Path) -> None:
    """Write a recipe's hour of sound as a set of recordings, unless the folder holds it."""
    recipe = f"{name} {VERSION}"
    if not recordings.is_made(folder, recipe):
        recordings.write_set(folder, _hour(name), recipe)


def recording_set(name: str, folder: Path) -> recordings.RecordingSet:
    """What :func:`write` puts into a folder, written or not."""
    pieces = (_piece(name, folder, number) for number in range(PIECES))
    return recordings.RecordingSet(name, tuple(pieces))


def _hour(name: str) -> Iterator[tuple[Recording, Samples]]:
    for number in range(PIECES):
        yield _piece(name, Path(), number), make(name, PIECE_S, seed=22 + number)


def _piece(name: str, folder: Path, number: int) -> Recording:
    part = "rest" if number else "first"
    return Recording(folder / f"{name}-{number}.flac", "", None, PIECE_S, part)
