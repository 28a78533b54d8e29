"""Several processes of one thread each that train one model: gradients are averaged every step."""

from __future__ import annotations

import os

import torch
import torch.distributed as dist
from torch import nn


class Team:
    """This process's place among the workers."""

    def __init__(self, rank: int, size: int, port: int) -> None:
        self.rank, self.size = rank, size
        torch.set_num_threads(1)
        if size > 1:
            os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
            dist.init_process_group("gloo", rank=rank, world_size=size)

    @property
    def leads(self) -> bool:
        """Whether this process saves and reports."""
        return self.rank == 0

    def average(self, model: nn.Module, extra: list[float]) -> list[float]:
        """Average all gradients, and some numbers with them, over the team in one exchange."""
        parameters = [p for p in model.parameters() if p.requires_grad]
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = torch.cat([part.flatten() for part in parts] + [torch.tensor(extra)])
        if self.size > 1:
            dist.all_reduce(flat)
            flat /= self.size
        at = 0
        for parameter in parameters:
            parameter.grad = flat[at : at + parameter.numel()].view_as(parameter)
            at += parameter.numel()
        return [float(value) for value in flat[at:]]

    def close(self) -> None:
        """Leave the team."""
        if self.size > 1:
            dist.destroy_process_group()
