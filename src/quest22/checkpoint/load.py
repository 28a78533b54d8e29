"""A name in, a checkpoint out: the one call that other rooms need."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from quest22.checkpoint.config import Dimensions, GenerationConfig
from quest22.checkpoint.resolve import resolve
from quest22.checkpoint.tokens import Tokens
from quest22.checkpoint.weight_shapes import check_weights
from quest22.checkpoint.weights import Weights


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A Whisper model as files: its shape, manners, tokens and weights.

    ``name`` is what it was asked for by; ``revision`` the Hub's commit, None where there is none.
    """

    folder: Path
    name: str
    revision: str | None
    dimensions: Dimensions
    generation: GenerationConfig
    tokens: Tokens
    weights: Weights


def load(name: str, *, revision: str | None = None, token: str | None = None) -> Checkpoint:
    """Find a checkpoint (see :func:`quest22.checkpoint.resolve.resolve`) and open its files.

    Raises :class:`quest22.errors.CheckpointError` where it is missing, incomplete or no Whisper.
    """
    found = resolve(name, revision=revision, token=token)
    dimensions = Dimensions.read(found.folder)
    generation = GenerationConfig.read(found.folder)
    tokens = Tokens.read(found.folder, dimensions, generation)
    weights = Weights.open(found.folder)
    check_weights(weights, dimensions, found.folder)
    return Checkpoint(
        folder=found.folder,
        name=found.name,
        revision=found.revision,
        dimensions=dimensions,
        generation=generation,
        tokens=tokens,
        weights=weights,
    )
