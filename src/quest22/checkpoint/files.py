"""The files of a checkpoint's folder: their names, which are present, and reading small ones.

Recognises other model formats in order to say what to do with them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from quest22.errors import CheckpointError
from quest22.system.regular_files import open_regular

WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"
TOKENIZER = "tokenizer.json"
TOKENIZER_PARTS = ("vocab.json", "merges.txt", "added_tokens.json")
"""The older form of a tokenizer; the last file is optional."""

CTRANSLATE2_WEIGHTS = "model.bin"
CTRANSLATE2_VOCABULARIES = ("vocabulary.json", "vocabulary.txt")
"""What a CTranslate2 folder has instead of a tokenizer, or beside it."""

MAX_CONFIG_BYTES = 4 << 20
MAX_TOKENIZER_BYTES = 16 << 20
MAX_TOKENS = 1_000_000
"""Above every number of a token; Whisper's largest vocabulary has 51,866."""

MAX_CONTAINERS = 500_000
"""Lists and objects in a JSON file, a tokenizer's merges among them; each takes 100 bytes or so."""

PICKLED = (
    "has no safetensors weights, only a format that can run code and is therefore never opened: "
    "load it in Transformers where you trust it and save it again with save_pretrained(), which "
    "writes model.safetensors"
)


def check_folder(folder: Path) -> None:
    """Raise :class:`CheckpointError` unless all files of a model are there.

    Those are configuration, safetensors weights and a tokenizer, or a CTranslate2 model.
    """
    try:
        names = {path.name for path in folder.iterdir()}
    except OSError as exc:
        raise CheckpointError(f"{folder} cannot be read: {exc.strerror or exc}") from exc
    if is_ctranslate2(names):
        return
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


def files_of(path: Path) -> dict[str, int]:
    """A model's files by name, with their sizes: of a folder, or whisper.cpp's only one."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return {each.name: each.stat().st_size for each in files if each.is_file()}


def is_ctranslate2(names: Collection[str]) -> bool:
    """Whether a folder's files are a CTranslate2 model, and no model of Transformers'."""
    has_vocabulary = any(name in names for name in (TOKENIZER, *CTRANSLATE2_VOCABULARIES))
    return CTRANSLATE2_WEIGHTS in names and has_vocabulary and not has_weights(names)


def describe_other_format(names: Collection[str]) -> str | None:
    """Which other model format a folder's files are and what to do, as a predicate; else None."""
    for belongs, description in _OTHER_FORMATS:
        if found := sorted(name for name in names if belongs(name)):
            return description.format(found[0])
    return None


_OTHER_FORMATS: tuple[tuple[Callable[[str], bool], str], ...] = (
    (
        lambda name: name == "adapter_config.json",
        (
            "holds an adapter (LoRA), not a complete model: merge it into its base model "
            "(merge_and_unload) and save that"
        ),
    ),
    (
        lambda name: name == CTRANSLATE2_WEIGHTS,
        (
            f"is a CTranslate2 model (faster-whisper) without a vocabulary: expected {TOKENIZER}, "
            f"{' or '.join(CTRANSLATE2_VOCABULARIES)} beside {CTRANSLATE2_WEIGHTS}"
        ),
    ),
    (
        lambda name: name.startswith("ggml-"),
        "holds whisper.cpp models: give the path of one, such as …/{}",
    ),
    (
        lambda name: name.endswith(".gguf"),
        "holds a GGUF model: give whisper.cpp's ggml-*.bin, or the original",
    ),
    (
        lambda name: name.endswith(".onnx"),
        "holds an ONNX model: give the original with safetensors weights",
    ),
    (
        lambda name: name.endswith((".bin", ".pt", ".pth", ".ckpt", ".msgpack", ".h5")),
        PICKLED,
    ),
)
"""How a file's name tells a format, and what to do about it, first match first."""


def file_instead_of_folder(path: Path) -> CheckpointError:
    """The error for a file that was given in place of a model's folder."""
    if path.name in (WEIGHTS, WEIGHTS_INDEX):
        return CheckpointError(f"{path} is one file of a model: give its folder, {path.parent}")
    if path.suffix == ".pt":
        return CheckpointError(
            f"{path} is an openai/whisper checkpoint, a pickle that can run code and is never "
            "opened: give the model's short name (such as 'base') or its Hub id"
        )
    return CheckpointError(
        f"{path} is a file: expected a model's folder, whisper.cpp's ggml-*.bin, a Hub id or a "
        "short name"
    )


def is_there(path: Path) -> bool:
    """Whether a folder has an entry of this name, be it readable or not."""
    return os.path.lexists(path)


def read_bytes(path: Path, limit: int = MAX_CONFIG_BYTES) -> bytes:
    """A file's content; :class:`CheckpointError` if it is missing or larger than ``limit``."""
    try:
        with open_regular(path) as file:
            content = file.read(limit + 1)
    except FileNotFoundError as exc:
        raise CheckpointError(f"{path.parent} has no {path.name}: give a complete model") from exc
    except OSError as exc:
        raise CheckpointError(f"{path} cannot be read: {exc.strerror or exc}") from exc
    if len(content) > limit:
        raise CheckpointError(
            f"{path} is larger than {limit >> 20} MiB, which no Whisper model's is: check the file"
        )
    return content


def read_json(path: Path, limit: int = MAX_CONFIG_BYTES) -> Any:
    """A JSON file's value.

    Raises :class:`CheckpointError` if it is missing, larger than ``limit`` bytes or not JSON.
    """
    content = read_bytes(path, limit)
    try:
        return parse_json(content)
    except ValueError as exc:
        raise CheckpointError(f"{path} is not JSON ({exc}): download the model again") from exc


def parse_json(content: bytes) -> Any:
    """The value of JSON from a stranger, whose memory is in proportion to the text.

    Raises ``ValueError`` for what is not JSON, names a key twice, or is nested too often.
    """
    if content.count(b"[") + content.count(b"{") > MAX_CONTAINERS:
        raise ValueError(f"it has more than {MAX_CONTAINERS} lists and objects")
    try:
        return json.loads(content, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise ValueError(f"the key {twice[:40]!r} is there twice")
    return found


def read_json_object(path: Path, limit: int = MAX_CONFIG_BYTES) -> dict[str, Any]:
    """A JSON file that holds one object.

    Raises :class:`CheckpointError` if it is missing, larger than ``limit`` bytes, not JSON, or
    anything but an object.
    """
    value = read_json(path, limit)
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: expected a JSON object, found {type(value).__name__}")
    return value
