"""Whisper's encoder in plain NumPy, frame by frame as the paper describes it (arXiv:2212.04356)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from quest22.checkpoint.config import Dimensions
from quest22.checkpoint.weights import Weights

Array = NDArray[np.float64]

_erf = np.vectorize(math.erf, otypes=[np.float64])


def cross_keys_and_values(
    weights: Weights, dims: Dimensions, features: NDArray[np.float32]
) -> dict[str, Array]:
    """``cross_key_i [heads, frames, size]`` and ``cross_value_i [heads, size, frames]``."""
    x = features.T.astype(np.float64)
    for name, stride in (("encoder.conv1", 1), ("encoder.conv2", 2)):
        x = _gelu(_convolve(x, weights, name, stride))
    x = x + weights["encoder.embed_positions.weight"][: len(x)]
    for index in range(dims.encoder_layers):
        name = f"encoder.layers.{index}"
        normal = _norm(x, weights, f"{name}.self_attn_layer_norm")
        x = x + _attend(normal, weights, f"{name}.self_attn", dims.encoder_heads)
        normal = _norm(x, weights, f"{name}.final_layer_norm")
        hidden = _gelu(_linear(normal, weights, f"{name}.fc1"))
        x = x + _linear(hidden, weights, f"{name}.fc2")
    x = _norm(x, weights, "encoder.layer_norm")
    found = {}
    for index in range(dims.decoder_layers):
        name = f"decoder.layers.{index}.encoder_attn"
        key, value = (
            _heads(_linear(x, weights, f"{name}.{part}_proj"), dims.decoder_heads) for part in "kv"
        )
        found[f"cross_key_{index}"] = key
        found[f"cross_value_{index}"] = value.transpose(0, 2, 1)
    return found


def _convolve(x: Array, weights: Weights, name: str, stride: int) -> Array:
    padded = np.pad(x, ((1, 1), (0, 0)))
    kernel = weights[f"{name}.weight"].astype(np.float64)
    places = range(0, len(x), stride)
    windows = np.array([padded[place : place + 3].T for place in places])
    return np.einsum("fct,oct->fo", windows, kernel) + weights[f"{name}.bias"]


def _gelu(x: Array) -> Array:
    return x * 0.5 * (1 + _erf(x / math.sqrt(2)))


def _norm(x: Array, weights: Weights, name: str) -> Array:
    centred = x - x.mean(axis=1, keepdims=True)
    scaled = centred / np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + 1e-5)
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def _linear(x: Array, weights: Weights, name: str) -> Array:
    y = x @ weights[f"{name}.weight"].T.astype(np.float64)
    return y + weights[f"{name}.bias"] if f"{name}.bias" in weights else y


def _heads(x: Array, count: int) -> Array:
    """``[frames, width]`` → ``[heads, frames, size]``."""
    return x.reshape(len(x), count, -1).transpose(1, 0, 2)


def _attend(x: Array, weights: Weights, name: str, heads: int) -> Array:
    query, key, value = (
        _heads(_linear(x, weights, f"{name}.{part}_proj"), heads) for part in "qkv"
    )
    scores = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[2])
    shares = np.exp(scores - scores.max(axis=2, keepdims=True))
    shares /= shares.sum(axis=2, keepdims=True)
    mixed = (shares @ value).transpose(1, 0, 2).reshape(x.shape)
    return _linear(mixed, weights, f"{name}.out_proj")
