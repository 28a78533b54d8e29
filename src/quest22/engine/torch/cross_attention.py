"""Attention of the decoder to a window's sound: few queries, many keys and values.

A decoding step reads the keys and values of every window once, and nothing shares them: of large
models that takes most of its time. In int8 they are half of 16 bits. A kernel of Triton reads them
as they are; without Triton, or what it compiles with, they become the queries' format again at each
step, which saves memory but no time.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from quest22.engine.torch.triton_build import triton_lacks

INT8_MAX = 127

_log = logging.getLogger(__name__)


class CrossKV(NamedTuple):
    """Keys and values ``[windows, heads, frames, size]`` of one layer.

    In int8 they have scales, ``[windows, heads, size]`` in float32: one for each number of a head.
    """

    key: Tensor
    value: Tensor
    key_scale: Tensor | None = None
    value_scale: Tensor | None = None

    def keys_of(self, heads: list[int]) -> Tensor:
        """The keys of some heads, in float32."""
        keys = self.key[:, heads].float()
        return keys if self.key_scale is None else keys * self.key_scale[:, heads, None]


def quantize(values: Tensor) -> tuple[Tensor, Tensor]:
    """Keys or values ``[windows, heads, frames, size]`` in int8, and their scales."""
    scale = values.float().abs().amax(2).clamp(min=1e-30) / INT8_MAX
    return (values.float() / scale[:, :, None]).round().to(torch.int8), scale


def cross_attention(query: Tensor, sound: CrossKV) -> Tensor:
    """Softmax of scaled products, times values: ``query [windows, heads, queries, size]``."""
    if sound.key_scale is None or sound.value_scale is None:
        mixed: Tensor = F.scaled_dot_product_attention(query, sound.key, sound.value)
        return mixed
    if query.device.type == "cuda" and _can_compile():
        from quest22.engine.torch import cross_kernel

        if query.shape[2] <= cross_kernel.MAX_QUERIES and cross_kernel.fits(query.shape[3]):
            scales = (sound.key_scale, sound.value_scale)
            return cross_kernel.cross_attention(query, sound.key, sound.value, scales)
    # Keys' scales go into the query, values' into the result: both are small.
    scaled = (query.float() * sound.key_scale[:, :, None]).to(query.dtype)
    key, value = sound.key.to(query.dtype), sound.value.to(query.dtype)
    mixed = F.scaled_dot_product_attention(scaled, key, value)
    return (mixed.float() * sound.value_scale[:, :, None]).to(query.dtype)


@cache
def _can_compile() -> bool:
    """PyTorch's builds for NVIDIA's and AMD's GPUs bring Triton, those for Windows do not."""
    lacks = triton_lacks()
    if lacks:
        _log.warning("int8_kv saves memory but no time here: %s is missing", lacks)
    return not lacks
