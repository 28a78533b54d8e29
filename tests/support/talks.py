"""Sample recordings one after another, as somebody speaks, and what they say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import numpy as np
import soxr
from pyarrow import parquet

from quest22.capture.raw_pcm import RawFormat
from quest22.records import SAMPLE_RATE_HZ, Samples
from tests.support.recordings import SAMPLES, recordings


@dataclass(frozen=True, eq=False)
class Talk:
    """Mono sound at 16 kHz, and the text of each recording in it."""

    samples: Samples
    texts: tuple[str, ...]

    @property
    def words(self) -> list[str]:
        return words_of(" ".join(self.texts))

    def pcm(self, rate_hz: int = 24_000) -> bytes:
        """As 16-bit samples."""
        resampled = soxr.resample(self.samples, SAMPLE_RATE_HZ, rate_hz)
        return (np.clip(resampled, -1, 1) * 32_767).astype("<i2").tobytes()


@cache
def talk(count: int = 3, language: str = "en", pause_s: float = 1.0) -> Talk:
    """The first short recordings, with a pause behind each."""
    pause = np.zeros(round(pause_s * SAMPLE_RATE_HZ), np.float32)
    parts = [pause]
    for sound in recordings(language, count, longest_s=8.0):
        parts += [sound, pause]
    rows = [row for path in SAMPLES for row in parquet.read_table(path).to_pylist()]
    told = [row["text"] for row in rows if row["language"] == language and row["seconds"] <= 8.0]
    return Talk(np.concatenate(parts), tuple(told[:count]))


def words_of(text: str) -> list[str]:
    """Lower case, without marks."""
    return re.findall(r"[^\W_]+", text.lower())


def share_right(heard: str, said: Talk) -> float:
    """The share of the words said that were heard in their order; numerals count as wrong."""
    from difflib import SequenceMatcher

    found = SequenceMatcher(a=said.words, b=words_of(heard), autojunk=False)
    return sum(each.size for each in found.get_matching_blocks()) / len(said.words)


def companded(pcm: bytes, name: str) -> bytes:
    """16-bit samples as ``mulaw`` or ``alaw``: the nearest value of each."""
    values = RawFormat(name, 8_000, 1).values(bytes(range(256)))[0].astype(int)
    order = np.argsort(values, kind="stable")
    middles = (values[order][1:] + values[order][:-1]) / 2
    return order[np.searchsorted(middles, np.frombuffer(pcm, "<i2"))].astype(np.uint8).tobytes()
