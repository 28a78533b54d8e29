"""Batches of windows of one kind, as tensors."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from recipes.nano.config import Stage
from recipes.nano.losses import IGNORED, Batch
from recipes.nano.model import TEXT_POSITIONS, Heard
from recipes.nano.shards import Shards
from recipes.nano.soundscape import soundscape
from recipes.nano.transcript import POSITION_S, SPELLINGS, Transcript, transcript, wish
from recipes.nano.vocabulary import Vocabulary
from recipes.nano.windows import FRAMES, KINDS, Kind, Plan, nothing, plan

NOTHING_SHARE = {"single": 0.03, "short": 0.05, "half": 0.06, "padded": 0.1, "one": 0.15,
                 "full": 0.05}  # fmt: skip
STAMPS_SHARE = {"single": 0.5, "short": 0.5, "half": 0.5, "padded": 0.5, "one": 0.6,
                "full": 0.45}  # fmt: skip
RESPELL_SHARE = 0.03
ALIKE_OF = 5
TAIL = 48
MOSTLY_FILLED = 2600
QUIETEST = -1.5  # digital silence, normalised


class Batches:
    """Draws windows from the corpus; everything follows from the generator given."""

    def __init__(self, shards: Shards, vocabulary: Vocabulary) -> None:
        self._shards, self._vocabulary = shards, vocabulary
        self._spelled = [word for word in SPELLINGS if word in shards.by_word]

    def batch(self, name: str, stage: Stage, rng: random.Random) -> Batch:
        """Windows of kind ``name`` that hold about ``stage.batch_s`` of sound together."""
        kind = KINDS[name]
        plans = self._alike(kind, stage.batch_s, rng)
        frames = kind.frames or _rounded(max(one.frames for one in plans), 80)
        plans = [self._somewhere(replace(one, frames=frames), rng) for one in plans]
        shares = STAMPS_SHARE[name]
        said = [
            transcript(one, wish(one, self._shards, rng, shares), self._vocabulary, rng)
            for one in plans
        ]
        filled = min(frames, _rounded(max(one.ends_frame for one in plans) + 20, 80))
        if frames < FRAMES or filled > MOSTLY_FILLED:
            filled = frames
        shown = [replace(one, frames=filled) for one in plans]
        mels = np.stack([soundscape(one, self._shards, rng, stage.augment) for one in shown])
        begin = torch.tensor([one.begin for one in plans])
        return _tensors(heard(mels, begin, frames), said)

    def _alike(self, kind: Kind, seconds: float, rng: random.Random) -> list[Plan]:
        """Windows that are filled for about as long, so that little of a batch is padding."""
        drawn = [self._plan(kind, rng) for _ in range(max(1, round(ALIKE_OF * seconds / 3)))]
        groups: list[list[Plan]] = []
        for one in sorted(drawn, key=lambda one: one.ends_frame):
            if not groups or _cost(kind, one) * (len(groups[-1]) + 1) > 100 * seconds:
                groups.append([])
            groups[-1].append(one)
        return rng.choice(groups)

    def _plan(self, kind: Kind, rng: random.Random) -> Plan:
        if rng.random() < NOTHING_SHARE[kind.name]:
            return nothing(kind, rng)
        first = None
        if kind.name != "single" and rng.random() < RESPELL_SHARE and self._spelled:
            first = rng.choice(self._shards.by_word[rng.choice(self._spelled)])
            first = first if first.language == "en" else None
        for _ in range(20):
            drawn = plan(kind, self._shards, rng, first)
            if any(drawn.audible(one)[1] for one in drawn.placed):
                return drawn
        return nothing(kind, rng)

    @staticmethod
    def _somewhere(window: Plan, rng: random.Random) -> Plan:
        """Short windows lie anywhere in the 30 s, those cut at their beginning at 0."""
        cut = any(one.at < 0 for one in window.placed)
        if not window.kind.anywhere or cut or rng.random() < 0.35:
            return window
        return replace(window, begin=rng.randrange((FRAMES - window.frames) // 2 + 1))


def _cost(kind: Kind, one: Plan) -> int:
    """Frames that a window takes in a batch."""
    if kind.frames == FRAMES:
        return one.ends_frame + 2 * TAIL if one.ends_frame < MOSTLY_FILLED else FRAMES
    return kind.frames or one.frames


def heard(mels: np.ndarray, begin: Tensor, frames: int) -> Heard:
    """Windows of ``frames``; of the silence behind what is shown, a few positions stand for all."""
    filled = mels.shape[1]
    places = begin[:, None] + torch.arange(filled // 2)
    if filled == frames:
        return Heard(_mel(mels), places)
    silence = np.maximum(mels.max(axis=(1, 2), keepdims=True) - 2.0, QUIETEST)
    tail = np.broadcast_to(silence, (len(mels), 2 * TAIL, mels.shape[2]))
    last = frames // 2 - 1
    spread = torch.linspace(filled // 2, last, TAIL).round().long().expand(len(mels), -1)
    weight = torch.zeros(len(mels), filled // 2 + TAIL)
    weight[:, filled // 2 : -1] = math.log((last - filled // 2) / (TAIL - 1))
    mel = np.concatenate([mels, tail], axis=1).astype(np.float32)
    return Heard(_mel(mel), torch.cat([places, spread], dim=1), weight)


def _mel(mels: np.ndarray) -> Tensor:
    return torch.from_numpy(mels).transpose(1, 2).contiguous()


def _tensors(sound: Heard, said: list[Transcript]) -> Batch:
    length = min(TEXT_POSITIONS, _rounded(max(len(one.tokens) for one in said) - 1, 16))
    limit = sound.places.shape[1] - (0 if sound.weight is None else TAIL)
    tokens = torch.zeros(len(said), length, dtype=torch.long)
    targets = torch.full((len(said), length), IGNORED)
    spans = torch.full((len(said), length, 2), -1)
    for row, one in enumerate(said):
        count = len(one.tokens) - 1
        tokens[row, :count] = torch.tensor(one.tokens[:-1])
        targets[row, :count] = torch.tensor(one.targets())
        spans[row, :count] = _positions(one.spans[1:], limit)
    counts = torch.tensor([len(one.letters) for one in said])
    letters = torch.zeros(len(said), max(1, int(counts.max())), dtype=torch.long)
    for row, one in enumerate(said):
        letters[row, : len(one.letters)] = torch.tensor(one.letters, dtype=torch.long)
    return Batch(sound, tokens, targets, spans, letters, counts)


def _rounded(count: int, step: int) -> int:
    """Up to a multiple of ``step``: few distinct shapes spare the CPU library much preparation."""
    return -(-count // step) * step


def _positions(spans: list[tuple[float, float]], limit: int) -> Tensor:
    """Seconds to encoder positions; a span outside the window guides nothing."""
    places = np.array(spans, np.float64) / POSITION_S
    first, last = np.floor(places[:, 0]), np.ceil(places[:, 1]) + 1
    lost = (places[:, 1] <= 0) | (first >= limit) | (places[:, 0] <= -45)
    first, last = np.clip(first, 0, limit - 1), np.clip(last, 1, limit)
    first[lost], last[lost] = -1, -1
    return torch.from_numpy(np.stack([first, last], axis=1).astype(np.int64))
