"""A checkpoint with fewer decoder layers: the nearest thing to a distilled draft model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from quest22.checkpoint.load import Checkpoint


def cut(checkpoint: Checkpoint, layers: Sequence[int]) -> Checkpoint:
    """Only these decoder layers, in this order; the rest, its encoder too, is the same."""
    parts = [
        name.removeprefix("decoder.layers.0.")
        for name in checkpoint.weights
        if name.startswith("decoder.layers.0.")
    ]
    names = {
        f"decoder.layers.{place}.{part}": f"decoder.layers.{layer}.{part}"
        for place, layer in enumerate(layers)
        for part in parts
    }
    return replace(
        checkpoint,
        name=f"{checkpoint.name} cut to {len(layers)} layers",
        dimensions=replace(checkpoint.dimensions, decoder_layers=len(layers)),
        generation=replace(checkpoint.generation, alignment_heads=()),
        weights=checkpoint.weights.joined(checkpoint.weights, names),
    )
