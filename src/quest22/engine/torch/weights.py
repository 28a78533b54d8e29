"""A checkpoint's weights as tensors on a device, read once, in the layout of the model's products.

Names are Transformers'. Queries, keys and values of a layer are one matrix; so are the keys and
values of cross-attention.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

import numpy as np
import torch
from torch import Tensor

from quest22.checkpoint.config import Dimensions
from quest22.checkpoint.weights import NOT_FINITE, Weights
from quest22.engine.torch.device import Placement
from quest22.engine.torch.fp8 import Fp8Linear, fp8, is_in_fp8
from quest22.engine.torch.layers import Places, StreamedLayers
from quest22.engine.torch.quantized import Int4Linear, Int8Linear, quantized
from quest22.errors import EngineError

Block = TypeVar("Block")


@dataclass(frozen=True, slots=True)
class Linear:
    """A matrix ``[outputs, inputs]`` and a bias, in the format of products."""

    weight: Tensor
    bias: Tensor | None


AnyLinear: TypeAlias = Linear | Int8Linear | Int4Linear | Fp8Linear
"""Each but the last has the matrix as ``weight``, and all have a ``bias``."""


@dataclass(frozen=True, slots=True)
class Norm:
    """A layer norm's weight and bias, in float32."""

    weight: Tensor
    bias: Tensor


@dataclass(frozen=True, slots=True)
class SelfAttention:
    """A layer's attention to its own inputs: queries, keys and values are one matrix."""

    norm: Norm
    qkv: AnyLinear
    out: AnyLinear


@dataclass(frozen=True, slots=True)
class CrossAttention:
    """A decoder layer's attention to the sound: keys and values are one matrix."""

    norm: Norm
    query: AnyLinear
    key_value: AnyLinear
    out: AnyLinear


@dataclass(frozen=True, slots=True)
class FeedForward:
    """The two products that end a layer."""

    norm: Norm
    fc1: AnyLinear
    fc2: AnyLinear


@dataclass(frozen=True, slots=True)
class EncoderBlock:
    """A layer of the encoder."""

    attention: SelfAttention
    feed_forward: FeedForward


@dataclass(frozen=True, slots=True)
class DecoderBlock:
    """A layer of the decoder."""

    attention: SelfAttention
    cross: CrossAttention
    feed_forward: FeedForward


@dataclass(frozen=True, slots=True)
class Residency:
    """Where the layers of a model are that is larger than its device."""

    encoder: Places
    decoder: Places


@dataclass(frozen=True, slots=True)
class ModelWeights:
    """All of a model's. ``output`` is the token embedding in the format that logits are made in."""

    convolutions: tuple[Linear, Linear]
    encoder_positions: Tensor
    encoder: Iterable[EncoderBlock]
    encoder_norm: Norm
    embedding: Tensor
    decoder_positions: Tensor
    decoder: Iterable[DecoderBlock]
    decoder_norm: Norm
    output: Tensor


def read_weights(
    weights: Weights, dims: Dimensions, placement: Placement, residency: Residency | None = None
) -> ModelWeights:
    """Copy a checkpoint's weights to a device; the files then release their memory.

    With a ``residency``, other layers stay in the host's memory or in their files, which are then
    read for as long as the model is used: see
    :class:`quest22.engine.torch.layers.StreamedLayers`. Raises :class:`EngineError` if a weight is
    not finite.
    """
    reader = _Reader(weights, placement, dims.encoder_layers)
    layers = reader
    if residency is not None:
        on_host = replace(placement, device=torch.device("cpu"))
        layers = _Reader(weights, on_host, dims.encoder_layers)
    encoder, decoder = layers.encoder_block, layers.decoder_block
    of_encoder, of_decoder = (residency.encoder, residency.decoder) if residency else (None, None)
    embedding = reader.matrix("decoder.embed_tokens.weight")
    model = ModelWeights(
        (reader.convolution("encoder.conv1"), reader.convolution("encoder.conv2")),
        reader.exact("encoder.embed_positions.weight"),
        _placed(encoder, dims.encoder_layers, placement.device, of_encoder),
        reader.norm("encoder.layer_norm"),
        embedding,
        reader.exact("decoder.embed_positions.weight"),
        _placed(decoder, dims.decoder_layers, placement.device, of_decoder),
        reader.norm("decoder.layer_norm"),
        # Logits are float32: CUDA makes them of 16-bit factors, other devices of float32 ones.
        embedding if placement.device.type == "cuda" else embedding.float(),
    )
    reader.check_finite()
    layers.check_finite()
    weights.release()
    return model


def _placed(
    read: Callable[[int], Block], count: int, device: torch.device, places: Places | None
) -> Iterable[Block]:
    if places is None:
        return tuple(map(read, range(count)))
    layers = StreamedLayers(read, count, device, places)
    for index in layers.in_files:
        read(index)  # once, so that weights that are not finite are found now
    return layers


class _Reader:
    """Reads layers; what a file has mapped for one is given back before the next."""

    def __init__(self, weights: Weights, placement: Placement, encoder_layers: int) -> None:
        self._weights = weights
        self._encoder_layers = encoder_layers
        self._placement = placement
        self._finite = torch.ones((), dtype=torch.bool, device=placement.device)

    def check_finite(self) -> None:
        if not self._finite.item():
            raise EngineError(NOT_FINITE)

    def encoder_block(self, index: int) -> EncoderBlock:
        self._weights.release()
        name = f"encoder.layers.{index}"
        return EncoderBlock(self._self_attention(name), self._feed_forward(name))

    def decoder_block(self, index: int) -> DecoderBlock:
        self._weights.release()
        name = f"decoder.layers.{index}"
        cross = CrossAttention(
            self.norm(f"{name}.encoder_attn_layer_norm"),
            self._joined(f"{name}.encoder_attn", ("q_proj",)),
            self._joined(f"{name}.encoder_attn", ("k_proj", "v_proj")),
            self._joined(f"{name}.encoder_attn", ("out_proj",)),
        )
        return DecoderBlock(self._self_attention(name), cross, self._feed_forward(name))

    def norm(self, name: str) -> Norm:
        return Norm(self.exact(f"{name}.weight"), self.exact(f"{name}.bias"))

    def convolution(self, name: str) -> Linear:
        """A kernel ``[outputs, inputs, taps]`` as a matrix over taps, then inputs."""
        kernel = self.matrix(f"{name}.weight").transpose(1, 2)
        return Linear(kernel.reshape(len(kernel), -1), self.matrix(f"{name}.bias"))

    def matrix(self, name: str) -> Tensor:
        return self._read(name).to(self._placement.dtype)

    def exact(self, name: str) -> Tensor:
        return self._read(name).float()

    def _self_attention(self, name: str) -> SelfAttention:
        return SelfAttention(
            self.norm(f"{name}.self_attn_layer_norm"),
            self._joined(f"{name}.self_attn", ("q_proj", "k_proj", "v_proj")),
            self._joined(f"{name}.self_attn", ("out_proj",)),
        )

    def _feed_forward(self, name: str) -> FeedForward:
        layers = (self._joined(name, ("fc1",)), self._joined(name, ("fc2",)))
        return FeedForward(self.norm(f"{name}.final_layer_norm"), *layers)

    def _joined(self, name: str, parts: Sequence[str]) -> AnyLinear:
        """Layers with the same inputs as one; a layer without a bias has one of zeros.

        Weights are rounded layer by layer, so that no more than one is there in full.
        """
        rows = [self.matrix(f"{name}.{part}.weight") for part in parts]
        biases = [
            self.matrix(f"{name}.{part}.bias")
            if f"{name}.{part}.bias" in self._weights
            else row.new_zeros(len(row))
            for part, row in zip(parts, rows, strict=True)
        ]
        weight, bias = torch.cat(rows), torch.cat(biases)
        if self._placement.fp8_encoder and is_in_fp8(name, self._encoder_layers):
            return fp8(weight, bias)
        bits = self._placement.weights
        return Linear(weight, bias) if bits is None else quantized(weight, bias, bits)

    def _read(self, name: str) -> Tensor:
        """A tensor in its stored type if PyTorch has it, copied to the device."""
        stored = self._weights.dtype(name)
        if stored == "BF16":
            bits = torch.tensor(self._weights.raw(name).view(np.int16))
            copied = bits.to(self._placement.device).view(torch.bfloat16)
        elif stored == "F16":
            copied = torch.tensor(self._weights.raw(name)).to(self._placement.device)
        else:
            copied = torch.tensor(self._weights[name]).to(self._placement.device)
        self._finite &= torch.isfinite(copied).all()
        return copied
