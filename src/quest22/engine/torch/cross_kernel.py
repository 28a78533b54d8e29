"""Attention of few queries to many keys and values, as one kernel of Triton.

The engine uses it for keys and values in int8, which no other kernel reads; on a GPU it has not
been measured yet. A decoding step's cross-attention is bound by memory: each window's keys and
values are read once for up to 16 queries (its beams), in 16 bits or in int8 with a scale for each
number of a head. The scale of keys goes into the query, that of values into the output, so nothing
is dequantized. Frames are split in a fixed way, whatever shares the batch, and the parts are joined
in a fixed order: the same window gives the same bytes in any batch (the scheme is FlashDecoding's:
Dao et al., 2023).

Imports Triton, which PyTorch's builds for GPUs bring. ``TRITON_INTERPRET=1`` runs it on a CPU.
"""

# What Triton compiles has its own types and names.
# ruff: noqa: ANN001, ANN202, N803, PLR0913, PLR0917

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

MAX_QUERIES = 16
"""Rows of the smallest product that a GPU's matrix units compute."""

BLOCK_FRAMES = 64
SPLITS = 4
"""Parts of the frames that are attended to at once."""


def fits(size: int) -> bool:
    """Whether the kernel computes heads of this size."""
    return size >= 16 and size & (size - 1) == 0


def cross_attention(
    query: Tensor, key: Tensor, value: Tensor, scales: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """Softmax of scaled products, times values: ``query [W, heads, Q, size]``, of Q up to 16.

    ``key`` and ``value`` are ``[W, heads, frames, size]``, of the query's format or int8, with a
    head's numbers beside each other; with int8, ``scales`` are those of keys and of values, ``[W,
    heads, size]`` in float32. The size of a head is a power of two from 16 up. The result is as the
    query.
    """
    windows, heads, queries, size = query.shape
    frames = key.shape[2]
    key_scale, value_scale = scales or (None, None)
    scaled = query.float() * size**-0.5
    if key_scale is not None:
        scaled = scaled * key_scale[:, :, None]
    scaled = scaled.to(query.dtype).contiguous()
    pairs = windows * heads
    parts = torch.empty(pairs, SPLITS, MAX_QUERIES, size, dtype=torch.float32, device=query.device)
    sums = torch.empty(pairs, SPLITS, MAX_QUERIES, 2, dtype=torch.float32, device=query.device)
    _attend[(pairs, SPLITS)](
        scaled,
        key,
        value,
        parts,
        sums,
        queries,
        frames,
        heads,
        *key.stride()[:3],
        *value.stride()[:3],
        SPLIT=-(-frames // (SPLITS * BLOCK_FRAMES)) * BLOCK_FRAMES,
        SPLITS=SPLITS,
        QUERIES=MAX_QUERIES,
        SIZE=size,
        BLOCK=BLOCK_FRAMES,
    )
    highest, total = sums.unbind(-1)
    weights = torch.exp(highest - highest.amax(1, keepdim=True))
    joined = (parts * weights[..., None]).sum(1) / (total * weights).sum(1)[..., None]
    joined = joined[:, :queries].reshape(windows, heads, queries, size)
    if value_scale is not None:
        joined = joined * value_scale[:, :, None]
    return joined.to(query.dtype)


@triton.jit  # type: ignore[untyped-decorator]
def _attend(  # type: ignore[no-untyped-def]
    query,
    key,
    value,
    parts,
    sums,
    queries,
    frames,
    heads,
    key_window,
    key_head,
    key_frame,
    value_window,
    value_head,
    value_frame,
    SPLIT: tl.constexpr,
    SPLITS: tl.constexpr,
    QUERIES: tl.constexpr,
    SIZE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """One head of a window over one part of the frames: a running softmax, as FlashAttention's."""
    pair = tl.program_id(0).to(tl.int64)
    split = tl.program_id(1)
    rows, columns, steps = tl.arange(0, QUERIES), tl.arange(0, SIZE), tl.arange(0, BLOCK)
    asked = rows[:, None] < queries
    q = tl.load(
        query + (pair * queries + rows[:, None]) * SIZE + columns[None, :], mask=asked, other=0.0
    )
    key += (pair // heads) * key_window + (pair % heads) * key_head
    value += (pair // heads) * value_window + (pair % heads) * value_head
    highest = tl.full([QUERIES], -1e30, tl.float32)
    total = tl.zeros([QUERIES], tl.float32)
    mixed = tl.zeros([QUERIES, SIZE], tl.float32)
    for start in range(0, SPLIT, BLOCK):
        places = split * SPLIT + start + steps
        known = places < frames
        k = tl.load(
            key + places[None, :] * key_frame + columns[:, None], mask=known[None, :], other=0
        )
        v = tl.load(
            value + places[:, None] * value_frame + columns[None, :], mask=known[:, None], other=0
        )
        scores = tl.dot(q, k.to(q.dtype), input_precision="ieee")
        scores = tl.where(known[None, :], scores, -1e30)
        above = tl.maximum(highest, tl.max(scores, 1))
        weights = tl.where(known[None, :], tl.exp(scores - above[:, None]), 0.0)
        kept = tl.exp(highest - above)
        total = total * kept + tl.sum(weights, 1)
        mixed = mixed * kept[:, None]
        mixed += tl.dot(weights.to(q.dtype), v.to(q.dtype), input_precision="ieee")
        highest = above
    place = (pair * SPLITS + split) * QUERIES + rows
    tl.store(parts + place[:, None] * SIZE + columns[None, :], mixed)
    tl.store(sums + place * 2, highest)
    tl.store(sums + place * 2 + 1, total)
