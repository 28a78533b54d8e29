from __future__ import annotations

import math

import pytest
import torch

from recipes.nano.config import Shape, load
from recipes.nano.losses import IGNORED, guide_loss, token_loss
from recipes.nano.model import Heard, Nano
from recipes.nano.optimisers import orthogonal
from recipes.nano.schedule import rate_factor, stage_at
from recipes.nano.vocabulary import TIMESTAMPS

SHAPE = Shape(16, 1, 2, 2, 2, ((1, 0),), ((1, 0),))
TOKENS = TIMESTAMPS + 10


def test_logits_and_guided_heads_have_the_expected_shapes() -> None:
    model = Nano(SHAPE, TOKENS, 1000)
    places = torch.tensor([[0], [40]]) + torch.arange(30)
    answer = model(Heard(torch.zeros(2, 80, 60), places), torch.zeros(2, 7, dtype=torch.long))
    assert answer.logits.shape == (2, 7, TOKENS + 1)
    assert [tuple(head.shape) for head in answer.guided] == [(2, 7, 30)]
    assert torch.allclose(answer.guided[0].sum(-1), torch.ones(2, 7), atol=1e-4)


def test_the_compact_softmax_equals_the_full_one() -> None:
    unused = 9
    known, shared = torch.tensor([2.0, 0.5]), 0.3
    full = torch.cat([known, torch.full((unused,), shared)]).softmax(0)
    compact = torch.cat([known, torch.tensor([shared + math.log(unused)])]).softmax(0)
    assert torch.allclose(full[:2], compact[:2])
    assert full[2:].sum() == pytest.approx(float(compact[2]))


def test_a_near_timestamp_costs_less_than_a_far_one() -> None:
    first = 3
    target = torch.tensor([[first + 700]])
    near, far = (torch.zeros(1, 1, first + TIMESTAMPS + 1) for _ in range(2))
    near[..., first + 701] = 8.0
    far[..., first + 760] = 8.0
    assert token_loss(near, target) < token_loss(far, target)
    assert token_loss(far, torch.full((1, 1), IGNORED)) == 0


def test_attention_spread_over_its_span_costs_nothing() -> None:
    spans = torch.tensor([[[2, 4], [-1, -1]]])
    even, peak, outside = (torch.zeros(1, 2, 8) for _ in range(3))
    even[..., 2:4] = 0.5
    peak[..., 3] = 1.0
    outside[..., 7] = 1.0
    costs = [float(guide_loss([head], spans)) for head in (even, peak, outside)]
    assert costs[0] == pytest.approx(0.0, abs=1e-6)
    assert 0 < costs[1] < costs[2]


def test_attention_may_lie_anywhere_in_a_sentence() -> None:
    spans, peak = torch.tensor([[[5, 95]]]), torch.zeros(1, 1, 100)
    peak[..., 30] = 1.0
    assert float(guide_loss([peak], spans)) == pytest.approx(0.0)


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 12, 5), (2, 5, 12)])
def test_steps_are_nearly_orthogonal(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(1)
    singular = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
    assert float(singular.min()) > 0.4
    assert float(singular.max()) < 1.4


def test_the_schedule_ends_low_and_covers_all_the_time() -> None:
    training = load().training
    assert rate_factor(0, 0.0, training) < 0.1
    assert rate_factor(10_000, training.decay_from, training) == 1.0
    assert 0.2 < rate_factor(10_000, (1 + training.decay_from) / 2, training) < 0.8
    assert rate_factor(10_000, 1.0, training) == pytest.approx(training.final_rate)
    assert stage_at(0.0, training) is training.stages[0]
    assert stage_at(1.5, training) is training.stages[-1]
