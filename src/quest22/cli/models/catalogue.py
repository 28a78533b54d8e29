"""The models that ``quest22 models`` lists: those with a short name, and those in the caches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, TypeAlias

from quest22.checkpoint.caches import (
    CachedCheckpoint,
    cached_checkpoints,
    disk_bytes,
    find_cached,
)
from quest22.checkpoint.config import Dimensions
from quest22.checkpoint.footprint import WIDTHS, memory_bytes, parameters, window_work
from quest22.checkpoint.known_models import (
    EMBEDDED_MODELS,
    KNOWN_MODELS,
    KnownModel,
    language_count,
)
from quest22.checkpoint.load import read_dimensions
from quest22.errors import CheckpointError

EMBEDDED_LANGUAGES = "2"
"""English and Russian."""
ENGLISH = "English"

MEMORY = (
    "Bytes of the weights, and of the caches of 16 windows decoded greedily, by compute type: "
    "computed."
)
SPEED = "Times as fast as tiny, by the work of a window of 30 s with 100 tokens: computed."
Memory: TypeAlias = Annotated[Mapping[str, int], MEMORY]
Speed: TypeAlias = Annotated[float, SPEED]


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model with a short name."""

    name: str
    hub_id: str | None
    parameters_m: Annotated[float | None, "Millions of parameters."]
    download_bytes: Annotated[int | None, "Null if unknown."]
    languages: Annotated[str, "Their number, or `English`."]
    memory_bytes: Memory
    relative_speed: Speed
    local: Annotated[bool, "It is on this machine."]


@dataclass(frozen=True, slots=True)
class CachedModelRow:
    """A complete checkpoint in a cache."""

    name: Annotated[str | None, "What `--model` takes; null for a pickle, which nothing opens."]
    path: Annotated[Path, "Its folder, or the file of whisper.cpp or openai/whisper."]
    format: str
    size_bytes: Annotated[int, "Of the weights."]
    origin: Annotated[str, "Its id on the Hub, or the cache it lies in."]
    revision: Annotated[str | None, "Its commit on the Hub."]
    disk_bytes: Annotated[int, "Of all that lies there, other revisions included."]
    parameters_m: Annotated[float | None, "Millions of parameters; null for a pickle."]
    languages: Annotated[str | None, "Their number, or `English`; null for a pickle."]
    memory_bytes: Annotated[Mapping[str, int] | None, MEMORY]
    relative_speed: Annotated[float | None, SPEED]


def available_models() -> Iterator[ModelRow]:
    """The embedded checkpoint, then those on the Hub by size."""
    for name in EMBEDDED_MODELS:
        folder = Path(str(resources.files("quest22.checkpoint") / name))
        weights = folder / "model.safetensors"
        if weights.is_file():
            dims = Dimensions.read(folder)
            yield ModelRow(
                name=name,
                hub_id=None,
                parameters_m=_millions(dims),
                download_bytes=weights.stat().st_size,
                languages=EMBEDDED_LANGUAGES,
                memory_bytes=memory_of(dims),
                relative_speed=relative_speed(dims),
                local=True,
            )
    for model in KNOWN_MODELS.values():
        yield _from_hub(model)


def cached_models() -> Iterator[CachedModelRow]:
    """Every checkpoint in the caches, with what its shape tells."""
    for found in cached_checkpoints():
        dims = _shape_of(found)
        yield CachedModelRow(
            name=found.name,
            path=found.path,
            format=found.format,
            size_bytes=found.size_bytes,
            origin=found.origin,
            revision=found.revision,
            disk_bytes=disk_bytes(found),
            parameters_m=_millions(dims) if dims else None,
            languages=languages_of(dims) if dims else None,
            memory_bytes=memory_of(dims) if dims else None,
            relative_speed=relative_speed(dims) if dims else None,
        )


def memory_of(dims: Dimensions) -> Mapping[str, int]:
    """Bytes by compute type: see :func:`quest22.checkpoint.footprint.memory_bytes`."""
    return {name: memory_bytes(dims, name) for name in WIDTHS}


def relative_speed(dims: Dimensions) -> float:
    """How much less a window takes than tiny's, to two digits."""
    return float(f"{window_work(KNOWN_MODELS['tiny'].dimensions) / window_work(dims):.2g}")


def languages_of(dims: Dimensions) -> str:
    """By the size of the vocabulary."""
    count = language_count(dims.vocab_size)
    return str(count) if count > 1 else ENGLISH


def _from_hub(model: KnownModel) -> ModelRow:
    dims = model.dimensions
    return ModelRow(
        name=model.name,
        hub_id=model.hub_id,
        parameters_m=model.parameters_m,
        download_bytes=model.download_mb * 1_000_000 if model.download_mb else None,
        languages=str(model.languages) if model.multilingual else ENGLISH,
        memory_bytes=memory_of(dims),
        relative_speed=relative_speed(dims),
        local=find_cached(model.name) is not None,
    )


def _shape_of(found: CachedCheckpoint) -> Dimensions | None:
    """None for a pickle, and for files that are damaged: they are listed all the same."""
    if found.name is not None:
        with suppress(CheckpointError, OSError):
            return read_dimensions(found.path)
    return None


def _millions(dims: Dimensions) -> float:
    return round(parameters(dims) / 1_000_000, 1)
