from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy.recordings import Recording, RecordingSet, write_set
from quest22.records import SAMPLE_RATE_HZ

WriteSet = Callable[..., RecordingSet]


def recording(
    name: str, text: str = "one two", language: str | None = "en", part: str = "even"
) -> Recording:
    return Recording(Path(name), text, language, 10.0, part)


@pytest.fixture
def write_tones(tmp_path: Path) -> WriteSet:
    """Writes a set of one-second tones with these texts."""

    def write(name: str, texts: list[str], language: str = "en") -> RecordingSet:
        time_s = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
        made = []
        for number, text in enumerate(texts):
            tone = 0.2 * np.sin(2 * np.pi * (200 + 50 * number) * time_s)
            tone[:2000] = tone[-3000:] = 0
            part = ("even", "odd")[number % 2]
            path = tmp_path / name / f"{number}.flac"
            made.append((Recording(path, text, language, 1.0, part), tone.astype(np.float32)))
        write_set(tmp_path / name, made, "tones")
        return RecordingSet(name, tuple(each for each, _ in made))

    return write
