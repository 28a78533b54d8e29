"""How much memory a model takes on a device, and errors that tell that there is too little."""

from __future__ import annotations

import gc
from math import prod

import torch
from torch import Tensor

from quest22.checkpoint.config import Dimensions
from quest22.checkpoint.weight_shapes import expected_shapes
from quest22.engine.precision import INT4_GROUP
from quest22.engine.torch.device import Placement
from quest22.engine.torch.fp8 import is_in_fp8
from quest22.engine.torch.layers import BUFFERS
from quest22.system.machine import memory_bytes, memory_limit

_WORDS = ("out of memory", "can't allocate memory", "alloc_failed")
"""How CUDA and MPS, PyTorch on the CPU, and cuBLAS say it."""

_OUTPUT = "proj_out.weight"
_MATRIX = 2


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of PyTorch means that a device, or this machine, has no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(each in str(error).lower() for each in _WORDS)


def in_one_sentence(error: BaseException) -> str:
    """The sentence of a long message that says so."""
    sentences = str(error).partition("\n")[0].split(". ")
    saying = (each for each in sentences if any(words in each.lower() for words in _WORDS))
    return next(saying, type(error).__name__)


def give_back(device: torch.device) -> None:
    """Return memory that nothing uses any more to the device."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def on_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy it there; to a GPU, without waiting for what it computes meanwhile."""
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def cache_bytes(dims: Dimensions, placement: Placement) -> tuple[int, int]:
    """Memory of a window's sound, and of a row's tokens."""
    numbers = 2 * dims.decoder_layers * dims.d_model
    row = numbers * dims.max_target_positions * placement.dtype.itemsize
    if placement.int8_kv:  # with scales in float32
        return numbers * (dims.max_source_positions + 4), row
    return numbers * dims.max_source_positions * placement.dtype.itemsize, row


def weight_bytes(dims: Dimensions, placement: Placement) -> int:
    """Memory of the weights: in the format of products, but for layers in int8 or int4."""
    shapes = dict(expected_shapes(dims))
    layers = dims.encoder_layers
    size = sum(
        _bytes(name, shape, placement, layers) for name, shape in shapes.items() if name != _OUTPUT
    )
    if placement.device.type != "cuda" and placement.dtype != torch.float32:
        size += 4 * prod(shapes[_OUTPUT])
    return size


def layer_bytes(dims: Dimensions, placement: Placement) -> tuple[int, int]:
    """Memory of a layer of the encoder, and of one of the decoder."""
    shapes = list(expected_shapes(dims))
    encoder, decoder = (
        sum(
            _bytes(name, shape, placement, dims.encoder_layers)
            for name, shape in shapes
            if name.startswith(f"{part}.layers.0.")
        )
        for part in ("encoder", "decoder")
    )
    return encoder, decoder


def _bytes(name: str, shape: tuple[int, ...], placement: Placement, encoder_layers: int) -> int:
    """Of a tensor; scales are in the format of products, those of float8 in float32."""
    width = placement.dtype.itemsize
    is_matrix = ".layers." in name and len(shape) == _MATRIX
    if is_matrix and placement.fp8_encoder and is_in_fp8(name, encoder_layers):
        return prod(shape) + shape[0] * torch.float32.itemsize
    if placement.weights is None or not is_matrix:
        return prod(shape) * width
    if placement.weights == "int8":
        return prod(shape) + shape[0] * width
    return prod(shape) // 2 + prod(shape) // INT4_GROUP * width


def free_and_total(device: torch.device) -> tuple[int, int]:
    """Memory of the device in bytes, as far as it is known; else 0."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)
    if device.type == "mps":
        total = torch.mps.recommended_max_memory()
        return max(0, total - torch.mps.driver_allocated_memory()), total
    free, total = memory_bytes()
    limit = memory_limit()  # of a container
    return min(free, limit), min(total, limit)


def bytes_at_once(dims: Dimensions, placement: Placement) -> int:
    """Memory of layers that do not stay: in each half of the model, one computes, others come.

    On the CPU the one that computed last is freed when the next one begins.
    """
    encoder, decoder = layer_bytes(dims, placement)
    most = BUFFERS + 1 if placement.device.type == "cpu" else BUFFERS
    return min(most, dims.encoder_layers) * encoder + min(most, dims.decoder_layers) * decoder


def too_large(dims: Dimensions, placement: Placement, *, streamed: bool = False) -> str:
    """One line: what a model needs at least, what is there, and what to do.

    ``streamed``: its layers are on the device in turn.
    """
    free, total = free_and_total(placement.device)
    weights = weight_bytes(dims, placement)
    if streamed:
        encoder, decoder = layer_bytes(dims, placement)
        weights -= dims.encoder_layers * encoder + dims.decoder_layers * decoder
        weights += bytes_at_once(dims, placement)
    window = sum(cache_bytes(dims, placement))
    least = f"{_gigabytes(weights)} for weights and {_gigabytes(window)}"
    there = f"{_gigabytes(free)} of {_gigabytes(total)} are free" if total else "less is free"
    others = "--quantization int8 or int4, --dtype float16, or another --device"
    if placement.device.type != "mps" and not streamed:
        others = f"--device-map auto, {others}"
    return (
        f"the model does not run on {placement.device.type}: there is not enough memory: it needs "
        f"{least} for each window, and room to compute, and {there}; choose a smaller --model, "
        f"{others}"
    )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.2g} GB" if size < 10e9 else f"{size / 1e9:.0f} GB"
