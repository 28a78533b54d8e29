"""The names and shapes of a Whisper model's tensors, from its dimensions."""

from __future__ import annotations

from collections.abc import Iterator

from quest22.checkpoint.config import Dimensions
from quest22.checkpoint.weights import Weights
from quest22.errors import CheckpointError

_Named = tuple[str, tuple[int, ...]]


def check_weights(weights: Weights, dimensions: Dimensions, where: object) -> None:
    """Raise :class:`CheckpointError` for the first tensor that is missing or has a wrong shape."""
    for name, expected in expected_shapes(dimensions):
        shape = weights.shape(name)
        if shape != expected:
            raise CheckpointError(
                f"{where}: {name} has the shape {list(shape)}, but config.json requires "
                f"{list(expected)}: weights and configuration do not match"
            )


def expected_shapes(dimensions: Dimensions) -> Iterator[_Named]:
    """(name, shape) of every tensor, named as in :class:`Weights`, in the order of the layers."""
    d = dimensions.d_model
    yield "encoder.conv1.weight", (d, dimensions.mel_bins, 3)
    yield "encoder.conv1.bias", (d,)
    yield "encoder.conv2.weight", (d, d, 3)
    yield "encoder.conv2.bias", (d,)
    yield "encoder.embed_positions.weight", (dimensions.max_source_positions, d)
    for layer in range(dimensions.encoder_layers):
        stem = f"encoder.layers.{layer}"
        yield from _attention(f"{stem}.self_attn", d)
        yield from _feed_forward(stem, d, dimensions.encoder_ffn)
    yield from _norm("encoder.layer_norm", d)
    yield "decoder.embed_tokens.weight", (dimensions.vocab_size, d)
    yield "decoder.embed_positions.weight", (dimensions.max_target_positions, d)
    for layer in range(dimensions.decoder_layers):
        stem = f"decoder.layers.{layer}"
        yield from _attention(f"{stem}.self_attn", d)
        yield from _attention(f"{stem}.encoder_attn", d)
        yield from _feed_forward(stem, d, dimensions.decoder_ffn)
    yield from _norm("decoder.layer_norm", d)
    yield "proj_out.weight", (dimensions.vocab_size, d)


def _attention(stem: str, d: int) -> Iterator[_Named]:
    """Four projections, all with a bias except the keys', and the layer norm before them."""
    for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
        yield f"{stem}.{part}.weight", (d, d)
        if part != "k_proj":
            yield f"{stem}.{part}.bias", (d,)
    yield from _norm(f"{stem}_layer_norm", d)


def _feed_forward(stem: str, d: int, width: int) -> Iterator[_Named]:
    yield f"{stem}.fc1.weight", (width, d)
    yield f"{stem}.fc1.bias", (width,)
    yield f"{stem}.fc2.weight", (d, width)
    yield f"{stem}.fc2.bias", (d,)
    yield from _norm(f"{stem}.final_layer_norm", d)


def _norm(stem: str, d: int) -> Iterator[_Named]:
    yield f"{stem}.weight", (d,)
    yield f"{stem}.bias", (d,)
