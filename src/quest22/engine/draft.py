"""A draft model beside a model: whether the two fit, and what they share.

A draft is a smaller checkpoint with the same tokens. Its encoder is its own, or has the model's
weights, as distil-whisper's does: then windows are encoded once, for the layers of both decoders.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import product

import numpy as np

from quest22.checkpoint.load import Checkpoint
from quest22.decoding.draft_length import StepCosts
from quest22.errors import UsageError

_log = logging.getLogger("quest22")
_ENCODER = "encoder."
_CROSS_KV = ("k_proj.weight", "v_proj.weight", "v_proj.bias")


def check_draft(checkpoint: Checkpoint, draft: Checkpoint) -> None:
    """Raise :class:`UsageError` for a draft whose guesses the model could not check.

    Control tokens and timestamps must have the same numbers. One whose text tokens mean something
    else would only guess badly.
    """
    mine, other = checkpoint.dimensions, draft.dimensions
    if mine.vocab_size != other.vocab_size:
        _refuse(checkpoint, draft, f"has {other.vocab_size} tokens and not {mine.vocab_size}")
    if _control(checkpoint) != _control(draft):
        _refuse(checkpoint, draft, "has other control tokens")
    if mine.mel_bins != other.mel_bins:
        _refuse(checkpoint, draft, f"hears {other.mel_bins} mel bins and not {mine.mel_bins}")
    for each, name in (("max_source_positions", "frames"), ("max_target_positions", "positions")):
        if getattr(mine, each) != getattr(other, each):
            counts = f"{getattr(other, each)} {name} and not {getattr(mine, each)}"
            _refuse(checkpoint, draft, f"has {counts}")


def _refuse(checkpoint: Checkpoint, draft: Checkpoint, why: str) -> None:
    raise UsageError(
        f"{draft.name} cannot draft for {checkpoint.name}: it {why}; "
        "choose a smaller model of the same family, or leave --draft-model out"
    )


def _control(checkpoint: Checkpoint) -> tuple[object, ...]:
    each = checkpoint.tokens
    named = (each.eot, each.sot, each.no_timestamps, each.timestamp_begin, each.no_speech)
    return *named, tuple(sorted(each.languages.items()))


def tell_draft(draft: Checkpoint, costs: StepCosts, *, shares: bool) -> None:
    """Log how a draft runs."""
    encoder = "shares the encoder" if shares else "has an encoder of its own"
    told = "draft model %s %s; a guess costs, in steps of the model, drafted + checked: %s"
    _log.info(told, draft.name, encoder, costs)


def warn_of_slow(checkpoint: Checkpoint, draft: Checkpoint, costs: StepCosts) -> None:
    """Log that a draft is left out."""
    _log.warning(
        "draft model %s is left out: a guess of it costs more than a step of %s (%s)",
        draft.name,
        checkpoint.name,
        costs,
    )


class Undrafted:
    """Logs once that some windows are decoded without the draft."""

    def __init__(self) -> None:
        self._told = False

    def tell(self) -> None:
        if not self._told:
            _log.info(
                "without the draft model: windows with beams, a temperature, repetition rules or "
                "quick word times"
            )
        self._told = True


def shares_encoder(checkpoint: Checkpoint, draft: Checkpoint) -> bool:
    """Whether the draft's encoder has the model's weights, to the last bit.

    Keys and values of both decoders then have one shape, too.
    """
    shape = ("d_model", "encoder_layers", "encoder_heads", "encoder_ffn", "decoder_heads")
    if any(
        getattr(checkpoint.dimensions, each) != getattr(draft.dimensions, each) for each in shape
    ):
        return False
    mine, other = checkpoint.weights, draft.weights
    names = [name for name in mine if name.startswith(_ENCODER)]
    # The smallest first: a tensor that differs is mostly found before a large one is read.
    names.sort(key=lambda name: (np.prod(mine.shape(name)), name))
    return all(name in other and np.array_equal(mine[name], other[name]) for name in names)


def joined(checkpoint: Checkpoint, draft: Checkpoint) -> Checkpoint:
    """The model with the draft's layers after its own, for an encoder that fills both's caches.

    Of the draft's layers it has what makes keys and values of the sound, and nothing else.
    """
    layers, more = checkpoint.dimensions.decoder_layers, draft.dimensions.decoder_layers
    names = {
        _cross_kv(layers + layer, part): _cross_kv(layer, part)
        for layer, part in product(range(more), _CROSS_KV)
    }
    return replace(
        checkpoint,
        dimensions=replace(checkpoint.dimensions, decoder_layers=layers + more),
        weights=checkpoint.weights.joined(draft.weights, names),
    )


def _cross_kv(layer: int, part: str) -> str:
    return f"decoder.layers.{layer}.encoder_attn.{part}"
