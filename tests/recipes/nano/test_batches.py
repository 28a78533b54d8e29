from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from recipes.nano.batches import QUIETEST, TAIL, heard
from recipes.nano.config import Shape
from recipes.nano.model import FRAMES, Heard, Nano
from recipes.nano.vocabulary import TIMESTAMPS

SHAPE = Shape(16, 2, 2, 2, 2, ((1, 0),), ((1, 0),))
TOKENS = TIMESTAMPS + 10


def test_a_few_positions_stand_for_all_of_the_silence_behind() -> None:
    torch.manual_seed(3)
    model = Nano(SHAPE, TOKENS, 1000).eval()
    mels = np.random.default_rng(3).uniform(-0.9, 0.9, (2, 240, 80)).astype(np.float32)
    silence = np.maximum(mels.max(axis=(1, 2), keepdims=True) - 2, QUIETEST)
    whole = np.concatenate([mels, np.broadcast_to(silence, (2, FRAMES - 240, 80))], axis=1)
    every = Heard(torch.from_numpy(whole).transpose(1, 2), torch.arange(1500).expand(2, -1))
    few = heard(mels, torch.zeros(2, dtype=torch.long), FRAMES)
    blind = replace(few, weight=None)
    tokens = torch.tensor([[1, 4, 9], [2, 3, 3]])
    with torch.no_grad():
        exact, cheap, unweighted = (model(one, tokens).logits for one in (every, few, blind))
    assert few.places.shape == (2, 120 + TAIL)
    assert _apart(exact, cheap) < 0.1
    assert _apart(exact, cheap) < 0.5 * _apart(exact, unweighted)


def _apart(one: torch.Tensor, other: torch.Tensor) -> float:
    """Total variation distance of what would be said next, at its largest."""
    return float((one.softmax(-1) - other.softmax(-1)).abs().sum(-1).max() / 2)


def test_windows_without_silence_are_heard_whole() -> None:
    mels = np.zeros((1, 80, 80), np.float32)
    whole = heard(mels, torch.tensor([7]), 80)
    assert whole.weight is None
    assert whole.places[0].tolist() == list(range(7, 47))
