"""Batches of windows of one kind, as tensors."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from recipes.nano.config import Stage
from recipes.nano.losses import IGNORED, Batch
from recipes.nano.model import TEXT_POSITIONS
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


class Batches:
    """Draws windows from the corpus; everything follows from the generator given."""

    def __init__(self, shards: Shards, vocabulary: Vocabulary) -> None:
        self._shards, self._vocabulary = shards, vocabulary
        self._spelled = [word for word in SPELLINGS if word in shards.by_word]

    def batch(self, name: str, stage: Stage, rng: random.Random) -> Batch:
        """Windows of kind ``name`` that hold about ``stage.batch_s`` of sound together."""
        kind, seconds = KINDS[name], stage.batch_s
        length = (kind.frames or 280) / 100
        plans = self._alike(kind, max(1, round(seconds / length)), rng)
        frames = kind.frames or _rounded(max(one.frames for one in plans), 80)
        plans = [self._somewhere(replace(one, frames=frames), rng) for one in plans]
        shares = STAMPS_SHARE[name]
        said = [
            transcript(one, wish(one, self._shards, rng, shares), self._vocabulary, rng)
            for one in plans
        ]
        mels = np.stack([soundscape(one, self._shards, rng, stage.augment) for one in plans])
        begin = torch.tensor([one.begin for one in plans])
        return _tensors(mels, begin, said)

    def _alike(self, kind: Kind, count: int, rng: random.Random) -> list[Plan]:
        """Windows of about one length, so that little of a batch is padding."""
        if kind.frames:
            return [self._plan(kind, rng) for _ in range(count)]
        drawn = [self._plan(kind, rng) for _ in range(ALIKE_OF * count)]
        drawn.sort(key=lambda one: one.frames)
        at = count * rng.randrange(ALIKE_OF)
        return drawn[at : at + count]

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


def _tensors(mels: np.ndarray, begin: Tensor, said: list[Transcript]) -> Batch:
    length = min(TEXT_POSITIONS, _rounded(max(len(one.tokens) for one in said) - 1, 16))
    tokens = torch.zeros(len(said), length, dtype=torch.long)
    targets = torch.full((len(said), length), IGNORED)
    spans = torch.full((len(said), length, 2), -1)
    for row, one in enumerate(said):
        count = len(one.tokens) - 1
        tokens[row, :count] = torch.tensor(one.tokens[:-1])
        targets[row, :count] = torch.tensor(one.targets())
        spans[row, :count] = _positions(one.spans[1:], mels.shape[1] // 2)
    counts = torch.tensor([len(one.letters) for one in said])
    letters = torch.zeros(len(said), max(1, int(counts.max())), dtype=torch.long)
    for row, one in enumerate(said):
        letters[row, : len(one.letters)] = torch.tensor(one.letters, dtype=torch.long)
    mel = torch.from_numpy(mels).transpose(1, 2).contiguous()
    return Batch(mel, begin, tokens, targets, spans, letters, counts)


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
