"""What ``quest22 models info`` tells of a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Annotated

from typing_extensions import TypedDict

from quest22.checkpoint.caches import bytes_below
from quest22.checkpoint.config import Dimensions, GenerationConfig
from quest22.checkpoint.files import files_of, is_ctranslate2
from quest22.checkpoint.footprint import parameters
from quest22.checkpoint.known_models import KnownModel
from quest22.checkpoint.load import read_parts
from quest22.checkpoint.resolve import ResolvedFolder
from quest22.checkpoint.tokens import Tokens
from quest22.checkpoint.weight_shapes import check_weights, expected_shapes
from quest22.checkpoint.weights import Weights
from quest22.cli.models.catalogue import Memory, Speed, memory_of, relative_speed
from quest22.cli.schema_ids import SchemaId, schema_id
from quest22.engine.describe import compute_types, describe_engine

_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}
_TIED = "proj_out.weight"


class RunsOn(TypedDict):
    """The engine that a run without further flags takes on this machine."""

    name: Annotated[str, "`native`, `openvino` or `torch`."]
    device: Annotated[str, "`cpu`, `cuda` or `mps`."]
    compute_type: str
    why: str


class ModelInfo(TypedDict):
    """All about one model. Fields that only its files tell are null or empty if it is not here."""

    schema: SchemaId
    name: str
    hub_id: Annotated[str | None, "Of a short name."]
    path: Annotated[str | None, "Its folder, or whisper.cpp's file."]
    origin: Annotated[str, "What a short name was found to be: an id on the Hub, or a cache."]
    revision: Annotated[str | None, "Its commit on the Hub."]
    format: str | None
    weights: Annotated[Mapping[str, int], "Bytes of the tensors by type, as they are read."]
    parameters: int
    dimensions: Mapping[str, int]
    language_count: int
    languages: Annotated[list[str] | None, "Their codes."]
    tokenizer: Annotated[Mapping[str, int], "How many tokens of each kind."]
    generation: Annotated[Mapping[str, int | None], "Generation settings that are numbers, counts."]
    alignment_heads: Annotated[list[tuple[int, int]] | None, "Decoder layer and head of each."]
    memory_bytes: Memory
    relative_speed: Speed
    engine: RunsOn
    compute_types: Annotated[list[str], "Those that this machine computes as they are named."]
    files: Annotated[Mapping[str, int], "Name → bytes."]
    disk_bytes: Annotated[int, "Of this revision."]


def describe(found: ResolvedFolder) -> ModelInfo:
    """A model on this machine. Raises :class:`quest22.errors.CheckpointError` if it is damaged."""
    parts = read_parts(found.folder)
    check_weights(parts.weights, parts.dimensions, found.folder)
    languages = list(parts.tokens.languages) or ["en"]
    return {
        **_of_shape(found.name, parts.dimensions, len(languages)),
        "path": str(found.folder),
        "origin": found.origin,
        "revision": found.revision,
        "format": _format(found.folder),
        "weights": _weights(parts.weights, parts.dimensions),
        "languages": languages,
        "tokenizer": _tokenizer(parts.tokens),
        "generation": _generation(parts.generation),
        "alignment_heads": list(parts.generation.alignment_heads),
        "files": files_of(found.folder),
        "disk_bytes": bytes_below(found.folder),
    }


def describe_known(model: KnownModel) -> ModelInfo:
    """A model with a short name that is not on this machine."""
    shape = _of_shape(model.name, model.dimensions, model.languages)
    return {**shape, "hub_id": model.hub_id}


def _of_shape(name: str, dims: Dimensions, languages: int) -> ModelInfo:
    engine = describe_engine(dims)
    return {
        "schema": schema_id("model-info"),
        "name": name,
        "hub_id": None,
        "path": None,
        "origin": "",
        "revision": None,
        "format": None,
        "weights": {},
        "parameters": parameters(dims),
        "dimensions": _sizes(dims),
        "language_count": languages,
        "languages": None,
        "tokenizer": {},
        "generation": {},
        "alignment_heads": None,
        "memory_bytes": memory_of(dims),
        "relative_speed": relative_speed(dims),
        "engine": {
            "name": engine.name,
            "device": engine.device,
            "compute_type": engine.compute_type,
            "why": engine.why,
        },
        "compute_types": list(compute_types(dims)),
        "files": {},
        "disk_bytes": 0,
    }


def _format(path: Path) -> str:
    if path.is_file():
        return "ggml"
    names = {each.name for each in path.iterdir()}
    return "CTranslate2" if is_ctranslate2(names) else "safetensors"


def _weights(weights: Weights, dims: Dimensions) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for name, shape in expected_shapes(dims):
        if name != _TIED:
            dtype = weights.dtype(name)
            counted[dtype] += prod(shape) * _BYTES.get(dtype, 4)
    return dict(counted)


def _sizes(dims: Dimensions) -> dict[str, int]:
    return {
        "d_model": dims.d_model,
        "encoder_layers": dims.encoder_layers,
        "encoder_heads": dims.encoder_heads,
        "decoder_layers": dims.decoder_layers,
        "decoder_heads": dims.decoder_heads,
        "mel_bins": dims.mel_bins,
        "vocab_size": dims.vocab_size,
        "max_target_positions": dims.max_target_positions,
    }


def _tokenizer(tokens: Tokens) -> dict[str, int]:
    return {
        "text tokens": tokens.eot,
        "control tokens": tokens.timestamp_begin - tokens.eot,
        "timestamps": tokens.timestamp_count,
    }


def _generation(settings: GenerationConfig) -> dict[str, int | None]:
    return {
        "max_length": settings.max_length,
        "suppress_tokens": len(settings.suppress_tokens),
        "begin_suppress_tokens": len(settings.begin_suppress_tokens),
        "max_initial_timestamp_index": settings.max_initial_timestamp_index,
    }
