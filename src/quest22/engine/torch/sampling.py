"""Chooses a token for each row of logits on the device: the most probable one, or at random."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

BLOCK = 256
"""Weights are added up in blocks, with products: a running sum on a GPU differs from run to run."""


def log_probabilities(logits: Tensor, tokens: Tensor) -> Tensor:
    """Of a token in each row of ``[rows, vocabulary]``; not a number if logits are not finite."""
    chosen = logits.gather(1, tokens[:, None])[:, 0]
    return chosen - torch.logsumexp(logits, 1)


def choose(logits: Tensor, temperatures: Tensor | None, uniforms: Tensor | None) -> Tensor:
    """The best token of each row, or one at random in rows with a temperature above 0.

    ``temperatures`` and ``uniforms``, from 0 to 1, are ``[rows]`` in float64; None: no row has one.
    """
    best = logits.argmax(1)
    if temperatures is None or uniforms is None:
        return best
    drawn = draw(logits, temperatures.clamp(min=1e-6), uniforms)
    return torch.where(temperatures > 0, drawn, best)


def draw(logits: Tensor, temperatures: Tensor, uniforms: Tensor) -> Tensor:
    """The token at which the running sum of weights exceeds a share of the whole: ``[rows]``.

    Weights are ``exp(logits / temperature)`` in float64. The token is that of
    :class:`quest22.decoding.token_decoders.SamplingDecoder` for the same random number.
    """
    above = (logits - logits.amax(1, keepdim=True)).double()
    weights = torch.exp(above / temperatures[:, None])
    blocks = F.pad(weights, (0, -weights.shape[1] % BLOCK)).reshape(len(weights), -1, BLOCK)
    sums = _running(blocks.sum(2))
    threshold = (uniforms * sums[:, -1])[:, None]
    block = (sums <= threshold).sum(1).minimum(_last_above_zero(blocks.sum(2)))
    before = F.pad(sums, (1, 0)).gather(1, block[:, None])
    inside = blocks[torch.arange(len(block), device=block.device), block]
    place = (before + _running(inside) <= threshold).sum(1).minimum(_last_above_zero(inside))
    return block * BLOCK + place


def _running(values: Tensor) -> Tensor:
    """Running sums over the last axis, of a few hundred values."""
    count = values.shape[-1]
    upper = torch.ones(count, count, dtype=values.dtype, device=values.device).triu()
    return values @ upper


def _last_above_zero(values: Tensor) -> Tensor:
    """The last place in each row that holds more than 0."""
    places = torch.arange(values.shape[1], device=values.device)
    return torch.where(values > 0, places, 0).amax(1)
