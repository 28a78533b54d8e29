"""Loads a checkpoint by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from quest22.checkpoint.config import Dimensions, GenerationConfig
from quest22.checkpoint.consistency import check_consistency
from quest22.checkpoint.converted import (
    CheckpointParts,
    ctranslate2_dimensions,
    ggml_dimensions,
    read_ctranslate2,
    read_ggml,
)
from quest22.checkpoint.files import CTRANSLATE2_WEIGHTS, is_ctranslate2
from quest22.checkpoint.formats.ctranslate2 import CTranslate2File
from quest22.checkpoint.formats.ggml import GgmlFile
from quest22.checkpoint.resolve import resolve
from quest22.checkpoint.tokens import Tokens
from quest22.checkpoint.weight_shapes import check_weights
from quest22.checkpoint.weights import Weights


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A Whisper model's dimensions, generation settings, tokens and weights.

    ``name`` is the name it was loaded by; ``revision`` the Hub's commit, None for a local folder.
    ``origin`` is what a short name stood for: see
    :class:`quest22.checkpoint.resolve.ResolvedFolder`.
    """

    folder: Path
    name: str
    revision: str | None
    dimensions: Dimensions
    generation: GenerationConfig
    tokens: Tokens
    weights: Weights
    origin: str = ""


def load(name: str, *, revision: str | None = None, token: str | None = None) -> Checkpoint:
    """Find a checkpoint (see :func:`quest22.checkpoint.resolve.resolve`) and open its files.

    Raises :class:`quest22.errors.CheckpointError` if it is missing, incomplete or not Whisper,
    and :class:`quest22.errors.UsageError` for a revision of a model that has none.
    """
    resolved = resolve(name, revision=revision, token=token)
    parts = read_parts(resolved.folder)
    check_weights(parts.weights, parts.dimensions, resolved.folder)
    return Checkpoint(
        folder=resolved.folder,
        name=resolved.name,
        revision=resolved.revision,
        dimensions=parts.dimensions,
        generation=parts.generation,
        tokens=parts.tokens,
        weights=parts.weights,
        origin=resolved.origin,
    )


def read_parts(path: Path) -> CheckpointParts:
    """Read a model's files: a folder of Transformers' or CTranslate2's, or whisper.cpp's file.

    Raises :class:`quest22.errors.CheckpointError` if they are incomplete or not Whisper's.
    """
    parts = _read_files(path)
    check_consistency(parts.dimensions, parts.generation, parts.tokens, path)
    return parts


def read_dimensions(path: Path) -> Dimensions:
    """A model's dimensions, without its tokenizer; the files are as for :func:`read_parts`.

    Raises :class:`quest22.errors.CheckpointError` as it does.
    """
    if path.is_file():
        return ggml_dimensions(GgmlFile(path), path)
    if is_ctranslate2({each.name for each in path.iterdir()}):
        return ctranslate2_dimensions(CTranslate2File(path / CTRANSLATE2_WEIGHTS), path)
    return Dimensions.read(path)


def _read_files(path: Path) -> CheckpointParts:
    if path.is_file():
        return read_ggml(path)
    if is_ctranslate2({each.name for each in path.iterdir()}):
        return read_ctranslate2(path)
    dimensions = Dimensions.read(path)
    generation = GenerationConfig.read(path)
    tokens = Tokens.read(path, dimensions, generation)
    return CheckpointParts(dimensions, generation, tokens, Weights.open(path))
