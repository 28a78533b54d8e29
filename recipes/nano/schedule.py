"""How the learning rates and the mix of windows follow the share of training time that is spent.

Time, not steps, drives the schedule: a recipe that must end within its hours on any machine.
"""

from __future__ import annotations

import random

from recipes.nano.config import Stage, Training


def rate_factor(step: int, share: float, training: Training) -> float:
    """Warm up over some steps, hold, then fall linearly to the final rate."""
    warm = min(1.0, (step + 1) / training.warmup_steps)
    if share <= training.decay_from:
        return warm
    left = max(0.0, 1.0 - (share - training.decay_from) / (1.0 - training.decay_from))
    return warm * (training.final_rate + (1.0 - training.final_rate) * left)


def stage_at(share: float, training: Training) -> Stage:
    """The stage of the curriculum at this share of the time."""
    for stage in training.stages:
        if share < stage.until:
            return stage
    return training.stages[-1]


def draw_kind(stage: Stage, rng: random.Random) -> str:
    """The kind of windows of the next step: ``mix`` weighs kinds by their share of the sound."""
    return rng.choices(list(stage.mix), list(stage.mix.values()))[0]
