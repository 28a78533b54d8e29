"""Compares a device with the CPU before it is trusted: some have silent faults in PyTorch.

A few layers of the checkpoint encode and decode a short sound on both.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from quest22.checkpoint.config import Dimensions
from quest22.checkpoint.weights import Weights
from quest22.engine.torch.cache import CrossKVPool, SelfKVCache
from quest22.engine.torch.device import Placement
from quest22.engine.torch.model import WhisperModel
from quest22.engine.torch.session import TorchSession
from quest22.errors import EngineError

LAYERS = 2
MAX_ERROR = 1e-3
"""Of logits in float32: root mean square error over their standard deviation. Sums in another order
make less than 1e-5 of that; a fault makes 0.1 and more."""

_ON_CPU = Placement(torch.device("cpu"), torch.float32)


def check_device(weights: Weights, dims: Dimensions, placement: Placement) -> None:
    """Raise :class:`EngineError` if a device computes other logits in float32 than the CPU."""
    few = replace(
        dims,
        encoder_layers=min(dims.encoder_layers, LAYERS),
        decoder_layers=min(dims.decoder_layers, LAYERS),
    )
    with torch.inference_mode():
        expected, found = (
            probe_logits(WhisperModel(weights, few, each)) for each in (_ON_CPU, placement)
        )
    error = float(np.sqrt(np.mean((found - expected) ** 2)) / expected.std())
    if not error <= MAX_ERROR:
        raise EngineError(
            f"PyTorch {torch.__version__} computes wrongly on {placement.device.type}: logits "
            f"differ from the CPU's by {error:.1g}; use --device cpu, or another version of torch"
        )


def probe_logits(model: WhisperModel) -> NDArray[np.float32]:
    """Logits of two windows after a prompt, a step, and a step with the windows exchanged."""
    dims, placement = model.dims, model.placement
    pool, cache = CrossKVPool(dims, 2, placement), SelfKVCache(dims, 2, placement)
    frames = np.arange(2 * dims.max_source_positions)
    bins = np.arange(dims.mel_bins)[:, None]
    features = np.sin([frames * 0.01 * (bins + 1), frames * 0.007 * (bins + 3)]).astype(np.float32)
    model.encode(torch.from_numpy(features).to(placement.device), pool, slice(0, 2))
    session = TorchSession(model, pool, cache)
    session.restart([0, 1])
    prompt = np.array([[1, 2, 3], [4, 5, 6]], np.int32)
    logits = [session.step(prompt, [0, 2]).copy()]
    logits.append(session.step(prompt[:, :1] + 6, [0]).copy())
    session.reorder_cache([1, 0])
    logits.append(session.step(prompt[:, :1] + 8, [0]).copy())
    return np.concatenate(logits, 1)
