"""Reads the corpus back: utterances and noises out of memory-mapped shards."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

NOISE_FRAMES = 3000
FASTEST_LETTERS_A_SECOND = 23.0


@dataclass(frozen=True, slots=True)
class Item:
    """One utterance of the corpus and where its mel lies."""

    language: str
    words: tuple[str, ...]
    english: str
    mels: NDArray[np.float16]
    offset: int
    frames: int
    starts_s: NDArray[np.float32]
    ends_s: NDArray[np.float32]
    marked: bool

    def mel(self) -> NDArray[np.float32]:
        """Raw log10 mel, ``[frames, 80]``."""
        return self.mels[self.offset : self.offset + self.frames].astype(np.float32)


class Shards:
    """All shards of a folder that are complete when it is opened.

    Utterances whose text or translation ``known`` refuses are left out, and those that are said
    faster than anybody speaks.
    """

    def __init__(self, folder: Path, known: Callable[[str], bool]) -> None:
        self._known = cache(known)
        self.items: dict[str, list[Item]] = {"en": [], "ru": []}
        self.by_word: dict[str, list[Item]] = {}
        for path in sorted(folder.glob("??-*.json")):
            self._read(path)
        self.noises: NDArray[np.float16] = np.load(folder / "noise.mel.npy", mmap_mode="r")

    def draw(self, language: str, rng: random.Random) -> Item:
        """A random utterance."""
        items = self.items[language]
        return items[int(rng.random() * len(items))]

    def noise(self, frames: int, rng: random.Random) -> NDArray[np.float32]:
        """A random stretch of a random noise, ``[frames, 80]``."""
        index = rng.randrange(len(self.noises) // NOISE_FRAMES)
        at = index * NOISE_FRAMES + rng.randrange(NOISE_FRAMES - frames + 1)
        return self.noises[at : at + frames].astype(np.float32)

    def _read(self, path: Path) -> None:
        mels = np.load(path.with_name(path.stem + ".mel.npy"), mmap_mode="r")
        for record in json.loads(path.read_text(encoding="utf-8")):
            words = f"{record['text']} {record['english']}".split()
            if not all(self._known(word) for word in words) or _hurried(record):
                continue
            item = Item(
                record["language"], tuple(record["text"].split()), record["english"], mels,
                record["offset"], record["frames"],
                np.array(record["starts_s"], np.float32), np.array(record["ends_s"], np.float32),
                record["marked"],
            )  # fmt: skip
            self.items[item.language].append(item)
            for word in item.words:
                self.by_word.setdefault(word.strip(".,!?"), []).append(item)


def _hurried(record: dict[str, Any]) -> bool:
    seconds = record["ends_s"][-1] - record["starts_s"][0]
    return len(record["text"]) > FASTEST_LETTERS_A_SECOND * float(seconds)
