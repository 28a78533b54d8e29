"""Muon for the matrices, AdamW for the rest.

Source: Muon (Jordan et al., 2024). All matrices of one shape are orthogonalised together, which
on a CPU is several times faster than one after another.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from recipes.nano.config import Training

NOT_MATRICES = ("embed", "ctc", "stamp_proj")
QUINTIC = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5


class Muon(Optimizer):
    """Momentum, then the nearest (semi-)orthogonal matrix as the step.

    The decay matters: every step has full rank and the same length, so that without it the
    matrices grow for ever, and learning slows down as they do.
    """

    def __init__(self, matrices: list[nn.Parameter], rate: float, decay: float) -> None:
        super().__init__(matrices, {"lr": rate, "momentum": 0.97, "decay": decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move every matrix; ``closure`` is there for the interface alone."""
        for group in self.param_groups:
            shapes: dict[tuple[int, ...], list[nn.Parameter]] = defaultdict(list)
            for matrix in group["params"]:
                shapes[tuple(matrix.shape)].append(matrix)
            for (rows, columns), matrices in shapes.items():
                wanted = torch.stack([self._momentum(m, group["momentum"]) for m in matrices])
                scale = -group["lr"] * max(1.0, rows / columns) ** 0.5
                for matrix, move in zip(matrices, orthogonal(wanted), strict=True):
                    matrix.mul_(1 - group["lr"] * group["decay"]).add_(move, alpha=scale)

    def _momentum(self, matrix: nn.Parameter, momentum: float) -> Tensor:
        """Nesterov's look ahead of the running gradient."""
        state, gradient = self.state[matrix], matrix.grad
        if gradient is None:
            return torch.zeros_like(matrix)
        running = state.setdefault("momentum", torch.zeros_like(matrix))
        running.lerp_(gradient, 1 - momentum)
        return gradient.lerp(running, momentum)


def orthogonal(stack: Tensor) -> Tensor:
    """Newton-Schulz iterations towards the orthogonal factor of each matrix in ``[n, r, c]``."""
    tall = stack.shape[1] > stack.shape[2]
    x = stack.transpose(1, 2) if tall else stack
    x = (x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)).bfloat16()
    a, b, c = QUINTIC
    for _ in range(ITERATIONS):
        gram = x @ x.transpose(1, 2)
        x = torch.baddbmm(x, b * gram + c * (gram @ gram), x, beta=a)
    return (x.transpose(1, 2) if tall else x).float()


def optimisers(model: nn.Module, training: Training) -> list[Optimizer]:
    """Both optimisers; every group remembers its full rate as ``peak``."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        is_matrix = parameter.ndim == 2 and not any(part in name for part in NOT_MATRICES)
        (matrices if is_matrix else others).append(parameter)
    both: list[Optimizer] = [
        Muon(matrices, training.matrix_rate, training.matrix_decay),
        AdamW(others, lr=training.other_rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]
    for optimiser in both:
        for group in optimiser.param_groups:
            group["peak"] = group["lr"]
    return both


def step(model: nn.Module, both: list[Optimizer], factor: float) -> None:
    """Clip, move and clear."""
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimiser in both:
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * factor
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
