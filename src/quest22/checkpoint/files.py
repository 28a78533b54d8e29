"""The files of a checkpoint's folder: their names, which are present, and reading small ones.

Recognises other model formats in order to say what to do with them.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from quest22.errors import CheckpointError

WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"
TOKENIZER = "tokenizer.json"
TOKENIZER_PARTS = ("vocab.json", "merges.txt", "added_tokens.json")
"""The older form of a tokenizer; the last file is optional."""

MAX_CONFIG_BYTES = 4 << 20
MAX_TOKENIZER_BYTES = 64 << 20

PICKLED = (
    "has no safetensors weights, only a format that can run code and is therefore never opened: "
    "load it in Transformers where you trust it and save it again with save_pretrained(), which "
    "writes model.safetensors"
)


def check_folder(folder: Path) -> None:
    """Raise :class:`CheckpointError` unless config, weights and tokenizer are all there."""
    try:
        names = {path.name for path in folder.iterdir()}
    except OSError as exc:
        raise CheckpointError(f"{folder} cannot be read: {exc.strerror or exc}") from exc
    other = describe_other_format(names)
    if other and not has_weights(names):
        raise CheckpointError(f"{folder} {other}")
    if "config.json" not in names:
        raise CheckpointError(
            f"{folder} has no config.json: expected the folder of a Whisper model with "
            f"config.json, {WEIGHTS} and {TOKENIZER}"
        )
    if not has_weights(names):
        raise CheckpointError(
            f"{folder} has no weights: expected {WEIGHTS} or the index of its shards"
        )
    if not has_tokenizer(names):
        raise CheckpointError(
            f"{folder} has no tokenizer: expected {TOKENIZER}, or {TOKENIZER_PARTS[0]} with "
            f"{TOKENIZER_PARTS[1]}; copy it from the model it was trained from"
        )


def has_weights(names: Collection[str]) -> bool:
    """Whether a folder's files include safetensors weights."""
    return WEIGHTS in names or WEIGHTS_INDEX in names


def has_tokenizer(names: Collection[str]) -> bool:
    """Whether a folder's files include a tokenizer in either form."""
    return TOKENIZER in names or (TOKENIZER_PARTS[0] in names and TOKENIZER_PARTS[1] in names)


def describe_other_format(names: Collection[str]) -> str | None:
    """Which other model format a folder's files are and what to do, as a predicate; else None."""
    if "adapter_config.json" in names:
        return (
            "holds an adapter (LoRA), not a complete model: merge it into its base model "
            "(merge_and_unload) and save that"
        )
    if "model.bin" in names:
        return (
            "is a CTranslate2 model (faster-whisper): give the original it was converted from, "
            "such as openai/whisper-tiny"
        )
    if any(name.startswith("ggml-") or name.endswith(".gguf") for name in names):
        return "holds a whisper.cpp model: give the original, such as openai/whisper-tiny"
    if any(name.endswith(".onnx") for name in names):
        return "holds an ONNX model: give the original with safetensors weights"
    if any(name.endswith((".bin", ".pt", ".pth", ".ckpt", ".msgpack", ".h5")) for name in names):
        return PICKLED
    return None


def file_instead_of_folder(path: Path) -> CheckpointError:
    """The error for a file that was given in place of a model's folder."""
    if path.name in (WEIGHTS, WEIGHTS_INDEX):
        return CheckpointError(f"{path} is one file of a model: give its folder, {path.parent}")
    if path.suffix == ".pt":
        return CheckpointError(
            f"{path} is an openai/whisper checkpoint, a pickle that can run code and is never "
            "opened: give the model's short name (such as 'base') or its Hub id"
        )
    return CheckpointError(f"{path} is a file: expected a model's folder, Hub id or short name")


def read_bytes(path: Path, limit: int = MAX_CONFIG_BYTES) -> bytes:
    """A file's content; :class:`CheckpointError` if it is missing or larger than ``limit``."""
    try:
        if path.stat().st_size > limit:
            raise CheckpointError(
                f"{path} is larger than {limit >> 20} MiB, which no Whisper model's is: check the "
                "file"
            )
        return path.read_bytes()
    except FileNotFoundError as exc:
        raise CheckpointError(f"{path.parent} has no {path.name}: give a complete model") from exc
    except OSError as exc:
        raise CheckpointError(f"{path} cannot be read: {exc.strerror or exc}") from exc


def read_json_object(path: Path, limit: int = MAX_CONFIG_BYTES) -> dict[str, Any]:
    """A JSON file that holds one object.

    Raises :class:`CheckpointError` if it is missing, larger than ``limit`` bytes, not JSON, or
    anything but an object.
    """
    try:
        value = json.loads(read_bytes(path, limit))
    except (ValueError, RecursionError) as exc:
        raise CheckpointError(f"{path} is not JSON ({exc}): download the model again") from exc
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: expected a JSON object, found {type(value).__name__}")
    return value
