"""Training windows: utterances laid out in time, with the tokens a Whisper would write for them.

A window is planned first (who speaks when), then told twice: as a mel (``soundscape``) and as
tokens with the places that the guided heads should look at (``transcript``).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recipes.nano.shards import Item, Shards

FRAMES, FRAMES_A_SECOND = 3000, 100
AUDIBLE_SHARE = 0.75
BRIEF_FRAMES = 60

Times = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Kind:
    """What sort of window: its length in frames, how much is filled, and whether cut."""

    name: str
    frames: int
    anywhere: bool
    fill: tuple[int, int]
    cut_share: float


KINDS = {
    kind.name: kind
    for kind in (
        Kind("single", 0, True, (1, 1), 0.0),
        Kind("short", 780, True, (1, 4), 0.12),
        Kind("half", 1500, True, (1, 8), 0.15),
        Kind("padded", 3000, False, (1, 9), 0.15),
        Kind("one", 3000, False, (1, 1), 0.15),
        Kind("full", 3000, False, (99, 99), 0.65),
    )
}


@dataclass(frozen=True, slots=True)
class Placed:
    """An utterance at a frame of the window (negative where its beginning is cut off)."""

    item: Item
    at: int
    tempo: float

    @property
    def frames(self) -> int:
        return int(self.item.frames * self.tempo)

    @property
    def starts_s(self) -> Times:
        return self.item.starts_s * np.float32(self.tempo) + np.float32(self.at / FRAMES_A_SECOND)

    @property
    def ends_s(self) -> Times:
        return self.item.ends_s * np.float32(self.tempo) + np.float32(self.at / FRAMES_A_SECOND)


@dataclass(frozen=True, slots=True)
class Plan:
    """A window: what is said in it, its length, its first position (20 ms) in the 30 s."""

    kind: Kind
    language: str
    placed: tuple[Placed, ...]
    frames: int
    begin: int
    ends_frame: int

    def audible(self, placed: Placed) -> tuple[int, int]:
        """First and last+1 word of which at least three quarters are inside the window."""
        share, limit = 1 - AUDIBLE_SHARE, self.frames / FRAMES_A_SECOND
        starts, ends = placed.starts_s, placed.ends_s
        spare = (ends - starts) * share
        inside = np.flatnonzero((starts + spare >= 0) & (ends - spare <= limit))
        return (int(inside[0]), int(inside[-1]) + 1) if len(inside) else (0, 0)


def plan(kind: Kind, shards: Shards, rng: random.Random, first: Item | None = None) -> Plan:
    """Draw a window of one kind, in one language; ``first`` is an utterance it must hold."""
    language = first.language if first else ("en" if rng.random() < 0.46 else "ru")
    limit = kind.frames or 10_000
    placed: list[Placed] = []
    item = first or shards.draw(language, rng)
    cursor = _even(rng.choice([0.0, 0.1, rng.random(), rng.expovariate(0.6)]) * FRAMES_A_SECOND)
    room = limit - item.frames * 5 // 4 if kind.frames else BRIEF_FRAMES
    cursor = min(cursor, max(0, room) // 2 * 2)
    if rng.random() < kind.cut_share:
        cursor = -_even(rng.uniform(0.1, 0.8) * item.frames)
    for _ in range(rng.randint(*kind.fill)):
        one = Placed(item, cursor, _tempo(rng))
        if one.at + one.frames > limit:
            if rng.random() < kind.cut_share and limit - one.at > 30:
                placed.append(one)
            break
        placed.append(one)
        cursor = one.at + one.frames + _even(_gap_s(rng) * FRAMES_A_SECOND)
        item = shards.draw(language, rng)
    end = max(one.at + one.frames for one in placed) if placed else 0
    frames = kind.frames or -(-(end + rng.randrange(60)) // 4) * 4
    tail = _even(rng.choice([0.0, 0.1, rng.random(), rng.expovariate(0.4)]) * FRAMES_A_SECOND)
    return Plan(kind, language, tuple(placed), frames, 0, min(frames, end + tail))


def nothing(kind: Kind, rng: random.Random) -> Plan:
    """A window in which nobody speaks."""
    frames = kind.frames or 4 * rng.randrange(40, 120)
    end = frames if rng.random() < 0.6 else rng.randrange(20, frames)
    return Plan(kind, rng.choice(["en", "ru"]), (), frames, 0, end)


def _even(frames: float) -> int:
    return int(frames) // 2 * 2


def _tempo(rng: random.Random) -> float:
    return rng.uniform(0.95, 1.1) if rng.random() < 0.2 else 1.0


def _gap_s(rng: random.Random) -> float:
    return rng.choice([rng.uniform(0.0, 0.2), rng.uniform(0.1, 0.6), rng.uniform(0.2, 1.5),
                       rng.uniform(0.2, 0.8)])  # fmt: skip
