"""What a model takes by its shape alone: parameters, memory by precision, and work a window.

Nothing is measured here and no weights are read. Knows no engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import NamedTuple

from quest22.checkpoint.config import Dimensions
from quest22.checkpoint.weight_shapes import expected_shapes

BATCH = 16
"""Windows whose caches count as memory: the usual batch of a CPU."""

TOKENS = 100
"""Text in a window of 30 s whose work is counted: quick speech; the benchmark's number too."""


class Widths(NamedTuple):
    """Bytes of a weight, of one of the last layer, and of a cross-attention key or value."""

    weight: float
    head: int
    kv: int


WIDTHS: Mapping[str, Widths] = {
    "float32": Widths(4, 4, 4),
    "bfloat16": Widths(2, 2, 2),
    "float16": Widths(2, 2, 2),
    "int16": Widths(2, 1, 1),
    "int8": Widths(1, 1, 1),
    "int4": Widths(9 / 16, 1, 1),
}
"""By compute type. In int4, 32 weights share 16 bits more."""

_TIED = "proj_out.weight"
_TABLES = ("encoder.embed_positions.weight", "decoder.embed_positions.weight")
_FLOAT32_BYTES = 4


def parameters(dims: Dimensions) -> int:
    """How many numbers a checkpoint holds; the output layer is the embedding, and counts once."""
    return sum(prod(shape) for name, shape in expected_shapes(dims) if name != _TIED)


def memory_bytes(dims: Dimensions, compute_type: str) -> int:
    """Bytes of the weights, and of the caches of a batch decoded greedily, by :data:`WIDTHS`.

    The program, files that are mapped, and what a layer computes come on top. Beams need as many
    caches of self-attention. Norms, biases, convolutions, position tables and self-attention count
    as float32.
    """
    widths = WIDTHS[compute_type]
    linear = sum(prod(shape) for name, shape in expected_shapes(dims) if _is_linear(name, shape))
    others = parameters(dims) - linear
    head = dims.vocab_size * dims.d_model
    position = 2 * dims.decoder_layers * dims.d_model
    window = position * (
        widths.kv * dims.max_source_positions + _FLOAT32_BYTES * dims.max_target_positions
    )
    weights = int(widths.weight * (linear - head)) + widths.head * head
    return weights + _FLOAT32_BYTES * others + BATCH * window


def window_work(dims: Dimensions) -> int:
    """Multiplications of a window of 30 s: encoder, keys and values, and :data:`TOKENS` steps.

    Layers alone: norms, softmax and activations are left out.
    """
    return encoder_work(dims) + TOKENS * _step_work(dims)


def encoder_work(dims: Dimensions) -> int:
    """Multiplications of the encoder, and of the decoder's keys and values of the sound."""
    d, frames = dims.d_model, dims.max_source_positions
    convolutions = 2 * frames * 3 * dims.mel_bins * d + frames * 3 * d * d
    attention = 4 * frames * d * d + 2 * frames * frames * d
    layers = dims.encoder_layers * (attention + 2 * frames * d * dims.encoder_ffn)
    return convolutions + layers + dims.decoder_layers * 2 * frames * d * d


def _step_work(dims: Dimensions) -> int:
    """Of one token: self-attention's layers, two of cross-attention, keys of all frames."""
    d = dims.d_model
    attention = 6 * d * d + 2 * dims.max_source_positions * d + TOKENS * d
    layer = attention + 2 * d * dims.decoder_ffn
    return dims.decoder_layers * layer + dims.vocab_size * d


def _is_linear(name: str, shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 and name != _TIED and name not in _TABLES
