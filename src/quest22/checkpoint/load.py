"""Loads a checkpoint by name."""

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
    """A Whisper model's dimensions, generation settings, tokens and weights.

    ``name`` is the name it was loaded by; ``revision`` the Hub's commit, None for a local folder.
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

    Raises :class:`quest22.errors.CheckpointError` if it is missing, incomplete or not Whisper.
    """
    resolved = resolve(name, revision=revision, token=token)
    dimensions = Dimensions.read(resolved.folder)
    generation = GenerationConfig.read(resolved.folder)
    tokens = Tokens.read(resolved.folder, dimensions, generation)
    weights = Weights.open(resolved.folder)
    check_weights(weights, dimensions, resolved.folder)
    return Checkpoint(
        folder=resolved.folder,
        name=resolved.name,
        revision=resolved.revision,
        dimensions=dimensions,
        generation=generation,
        tokens=tokens,
        weights=weights,
    )
