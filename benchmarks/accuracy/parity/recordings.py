"""People's recordings, in sets: folders with a ``manifest.jsonl`` that names a file a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quest22.audio.decode import MediaDecoder
from quest22.metrics import Metrics
from quest22.records import Clip, Origin, Samples
from quest22.settings import AudioSettings


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A recording's samples, mono at 16 kHz, and the language its manifest names."""

    name: str
    language: str
    samples: Samples


def recordings(
    folder: Path, take: int | None = None, language: str | None = None
) -> Iterator[Recording]:
    """The recordings of one set, or the first ``take`` of them; of one language, if given."""
    lines = (folder / "manifest.jsonl").read_text("utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if language in (None, row["language"])]
    for row in rows[:take]:
        yield recording(folder / row["file"], row["language"])


def recording(path: Path, language: str) -> Recording:
    """One file, decoded by the product."""
    clip = Clip(path.name, path.name, path, Origin(path.name))
    blocks = MediaDecoder(AudioSettings(), Metrics()).decode(clip).blocks
    return Recording(path.name, language, np.concatenate(list(blocks)))
