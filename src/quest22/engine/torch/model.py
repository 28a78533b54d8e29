"""Whisper's encoder and decoder in plain PyTorch.

Products are in the format of the placement; what layers add up, norms and logits are float32. Knows
tensors and layers, but no windows, prompts or search.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from quest22.checkpoint.config import Dimensions
from quest22.checkpoint.weights import Weights
from quest22.decoding.alignment import Heads
from quest22.engine.precision import check_int4
from quest22.engine.torch.cache import KEYS, VALUES, CrossKVPool, Rows, SelfKVCache
from quest22.engine.torch.cross_attention import CrossKV, cross_attention
from quest22.engine.torch.device import Placement
from quest22.engine.torch.fp8 import Fp8Linear, check_fp8, fp8_linear
from quest22.engine.torch.weights import (
    AnyLinear,
    CrossAttention,
    FeedForward,
    Linear,
    Norm,
    Residency,
    SelfAttention,
    read_weights,
)

_TAPS = 3


class WhisperModel:
    """A checkpoint's layers on a device."""

    def __init__(
        self,
        weights: Weights,
        dims: Dimensions,
        placement: Placement,
        residency: Residency | None = None,
    ) -> None:
        """``residency``: only so many layers stay on the device.

        Raises :class:`quest22.errors.EngineError` if a weight is not finite, and
        :class:`quest22.errors.UsageError` for a model that int4 or float8 does not fit.
        """
        if placement.weights == "int4":
            check_int4(dims)
        if placement.fp8_encoder:
            check_fp8(dims)
        self.dims = dims
        self.placement = placement
        self.is_streamed = residency is not None
        self.weights = read_weights(weights, dims, placement, residency)

    def encode(self, features: Tensor, pool: CrossKVPool, rows: Rows) -> Tensor:
        """Encode ``features [B, mel bins, 3000]`` into rows of a pool.

        Returns the encoder's output, ``[B, 1500, d]``.
        """
        sound = self._hear(features)
        self.put_sound(sound, pool, rows)
        return sound

    def _hear(self, features: Tensor) -> Tensor:
        x = self._embed_sound(features)
        for block in self.weights.encoder:
            x = x + self._self_attention(x, block.attention)
            x = x + self._feed_forward(x, block.feed_forward)
        return self._normal(x, self.weights.encoder_norm)

    def put_sound(self, sound: Tensor, pool: CrossKVPool, rows: Rows) -> None:
        """Make the decoder's keys and values of what an encoder gave, in rows of a pool."""
        for layer, decoder in enumerate(self.weights.decoder):
            both = _linear(sound, decoder.cross.key_value).chunk(2, -1)
            pool.write(layer, rows, *(_split(each, self.dims.decoder_heads) for each in both))

    def decode(
        self,
        tokens: Tensor,
        positions: Tensor,
        cache: tuple[SelfKVCache, Rows],
        sound: tuple[CrossKVPool, Rows],
        length: int,
    ) -> Tensor:
        """Feed ``tokens [B, T]`` at ``positions [B, T]``; what the last layer gives, ``[B, T, d]``.

        ``cache`` has a row for each sequence. ``sound`` has one for each window, whose sequences
        are adjacent, equally many for each. Attends to the first ``length`` positions at most.
        """
        known, rows = cache
        numbers = known.numbers[rows][:, None]
        visible = torch.arange(length, device=tokens.device) <= positions[:, :, None]
        mask = visible[:, None]
        x = self._embed_tokens(tokens, positions)
        for layer, block in enumerate(self.weights.decoder):
            query, *fresh = self._query_key_value(x, block.attention)
            for part, each in zip((KEYS, VALUES), fresh, strict=True):
                known.memory[layer, part][numbers, :, positions] = each
            key, value = known.memory[layer][:, rows, :, :length]
            mixed = F.scaled_dot_product_attention(query.transpose(1, 2), key, value, mask)
            x = x + _linear(mixed.transpose(1, 2).flatten(2), block.attention.out)
            x = x + self._cross_attention(x, block.cross, sound[0].read(layer, sound[1]))
            x = x + self._feed_forward(x, block.feed_forward)
        return x

    def attend(
        self, tokens: Tensor, sound: tuple[CrossKVPool, Rows], heads: Heads
    ) -> tuple[Tensor, Tensor]:
        """Feed whole texts ``tokens [B, T]`` to the decoder, without a cache.

        ``sound`` has a row for each text, which may be another's too. Returns what the last layer
        gives, ``[B, T, d]``, and the scores of some heads' cross-attention before the softmax,
        float32: ``[B, heads, T, 1500]``.
        """
        count = tokens.shape[1]
        positions = torch.arange(count, device=tokens.device).expand_as(tokens)
        mask = torch.ones(count, count, dtype=torch.bool, device=tokens.device).tril()
        x = self._embed_tokens(tokens, positions)
        scores = []
        for layer, block in enumerate(self.weights.decoder):
            parts = self._query_key_value(x, block.attention)
            query, key, value = (each.transpose(1, 2) for each in parts)
            mixed = F.scaled_dot_product_attention(query, key, value, mask)
            x = x + _linear(mixed.transpose(1, 2).flatten(2), block.attention.out)
            heard = sound[0].read(layer, sound[1])
            chosen = [head for of, head in heads if of == layer]
            if chosen:
                scores.append(self._scores(x, block.cross, heard.keys_of(chosen), chosen))
            x = x + self._cross_attention(x, block.cross, heard)
            x = x + self._feed_forward(x, block.feed_forward)
        return x, torch.cat(scores, 1)

    def logits(self, x: Tensor, vocabulary: int | None = None) -> Tensor:
        """Logits in float32 after the last layer's ``x [..., d]``; of the first tokens alone."""
        normal = self._normal(x, self.weights.decoder_norm)
        words = self.weights.output[:vocabulary]
        if words.dtype == torch.float32:
            return _linear(normal.float(), Linear(words, None))
        flat = torch.mm(normal.flatten(0, -2), words.T, out_dtype=torch.float32)
        return flat.reshape(*x.shape[:-1], -1)

    def _embed_sound(self, features: Tensor) -> Tensor:
        x = features.to(self.placement.dtype).transpose(1, 2)
        for stride, convolution in zip((1, 2), self.weights.convolutions, strict=True):
            x = F.gelu(_convolve(x, convolution, stride))
        return x.float() + self.weights.encoder_positions

    def _embed_tokens(self, tokens: Tensor, positions: Tensor) -> Tensor:
        words = F.embedding(tokens, self.weights.embedding)
        return words.float() + F.embedding(positions, self.weights.decoder_positions)

    def _self_attention(self, x: Tensor, layer: SelfAttention) -> Tensor:
        """Every frame attends to all."""
        parts = _linear(self._normal(x, layer.norm), layer.qkv).chunk(3, -1)
        query, key, value = (_split(each, self.dims.encoder_heads) for each in parts)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return _linear(mixed.transpose(1, 2).flatten(2), layer.out)

    def _query_key_value(self, x: Tensor, layer: SelfAttention) -> tuple[Tensor, ...]:
        """Each ``[B, T, heads, size]``."""
        joined = _linear(self._normal(x, layer.norm), layer.qkv)
        return joined.reshape(*x.shape[:2], 3, self.dims.decoder_heads, -1).unbind(2)

    def _cross_attention(self, x: Tensor, layer: CrossAttention, sound: CrossKV) -> Tensor:
        """Sequences of a window are queries together."""
        windows = len(sound.key)
        query = _linear(self._normal(x, layer.norm), layer.query)
        together = _split(query.reshape(windows, -1, query.shape[-1]), self.dims.decoder_heads)
        mixed = cross_attention(together, sound)
        return _linear(mixed.transpose(1, 2).reshape(query.shape), layer.out)

    def _scores(self, x: Tensor, layer: CrossAttention, key: Tensor, heads: list[int]) -> Tensor:
        query = _linear(self._normal(x, layer.norm), layer.query)
        split = _split(query, self.dims.decoder_heads)[:, heads].float()
        scores: Tensor = split @ key.transpose(-1, -2) * split.shape[-1] ** -0.5
        return scores

    def _normal(self, x: Tensor, norm: Norm) -> Tensor:
        """In the format of products."""
        normal: Tensor = F.layer_norm(x, x.shape[-1:], norm.weight, norm.bias)
        return normal.to(self.placement.dtype)

    def _feed_forward(self, x: Tensor, layer: FeedForward) -> Tensor:
        return _linear(F.gelu(_linear(self._normal(x, layer.norm), layer.fc1)), layer.fc2)


def _split(x: Tensor, heads: int) -> Tensor:
    """``[B, T, d]`` to ``[B, heads, T, size]``."""
    return x.reshape(*x.shape[:2], heads, -1).transpose(1, 2)


def _linear(x: Tensor, layer: AnyLinear) -> Tensor:
    if isinstance(layer, Fp8Linear):
        return fp8_linear(x, layer)
    y: Tensor = F.linear(x, layer.weight, layer.bias)
    return y


def _convolve(x: Tensor, kernel: Linear, stride: int) -> Tensor:
    """A convolution of three taps over ``x [B, T, inputs]``, with an empty frame at both ends.

    As a product of frames that overlap in memory: every device gives the same for the same input,
    and there is no library for convolutions to install.
    """
    padded = F.pad(x, (0, 0, 1, 1)).contiguous()
    batch, frames, inputs = padded.shape
    count = (frames - _TAPS) // stride + 1
    shape, steps = (batch, count, _TAPS * inputs), (frames * inputs, stride * inputs, 1)
    return _linear(padded.as_strided(shape, steps), kernel)
