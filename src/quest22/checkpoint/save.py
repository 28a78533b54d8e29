"""Writes a checkpoint as a folder of Transformers', whatever its files were.

Tensors are read, converted and written one by one. The folder gets its name once it is whole, so
that no part of one is taken for a checkpoint.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from quest22.checkpoint.files import TOKENIZER, TOKENIZER_PARTS, WEIGHTS, read_json_object
from quest22.checkpoint.formats.safetensors import Tensor, to_bytes, write_safetensors
from quest22.checkpoint.load import Checkpoint
from quest22.checkpoint.transformers_files import (
    config_document,
    generation_document,
    preprocessor_document,
    tokenizer_config_document,
    tokenizer_parts,
)
from quest22.checkpoint.weight_shapes import expected_shapes
from quest22.checkpoint.weights import Weights
from quest22.errors import CheckpointError, SinkError, UsageError
from quest22.settings.option import check_choice
from quest22.system.atomic_files import sync_file, sync_folder

DTYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}
"""Names of types → their names in safetensors."""

OnBytes: TypeAlias = Callable[[int, int], None]
"""Called with the bytes of weights written so far, and those of all of them."""

_OUTPUT, _EMBEDDING = "proj_out.weight", "decoder.embed_tokens.weight"
_COPIED = (
    *("generation_config.json", "preprocessor_config.json", "normalizer.json"),
    *(TOKENIZER, *TOKENIZER_PARTS, "tokenizer_config.json", "special_tokens_map.json"),
)


def save(
    checkpoint: Checkpoint,
    folder: Path,
    dtype: str | None = None,
    on_bytes: OnBytes | None = None,
) -> dict[str, int]:
    """Write a checkpoint into a new or empty folder; file name → size in bytes.

    ``dtype`` is ``float32``, ``float16`` or ``bfloat16``; None keeps each tensor's type, and stores
    whole numbers and blocks of them as float32, so that no value changes. Raises
    :class:`UsageError` for another type and for a folder that holds anything,
    :class:`CheckpointError` for weights that do not fit the type, and :class:`SinkError` if the
    folder cannot be written.
    """
    check_dtype(dtype)
    refuse_content(folder)
    with _whole(folder) as partial_folder:
        tensors = list(_tensors(checkpoint, DTYPES[dtype] if dtype else None))
        _write_weights(partial_folder / WEIGHTS, tensors, checkpoint.weights, on_bytes)
        _write_documents(checkpoint, partial_folder, tensors)
        for path in partial_folder.iterdir():
            sync_file(path)
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir())}


def check_dtype(dtype: str | None) -> None:
    """Raise :class:`UsageError` for a type that weights are not written in."""
    if dtype is not None:
        check_choice("dtype", dtype, tuple(DTYPES))


def refuse_content(folder: Path) -> None:
    """Raise :class:`UsageError` for a folder that holds anything, and for a file."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            f"{folder} is there already: expected a new or empty folder, so that nothing is "
            "overwritten"
        )


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """A folder beside the one to write, which takes its name in the end, or is removed.

    What a killed process left of one is removed first.
    """
    folder = folder.absolute()
    partial_folder = folder.with_name(f".{folder.name}.partial")
    try:
        shutil.rmtree(partial_folder, ignore_errors=True)
        partial_folder.mkdir(parents=True)
        try:
            yield partial_folder
            if folder.exists():
                folder.rmdir()
            partial_folder.replace(folder)
        except BaseException:
            shutil.rmtree(partial_folder, ignore_errors=True)
            raise
        sync_folder(folder.parent)
    except OSError as exc:
        raise SinkError(f"{folder} cannot be written: {exc.strerror or exc}") from exc


def _tensors(checkpoint: Checkpoint, dtype: str | None) -> Iterator[Tensor]:
    """Every tensor by Transformers' name; the output's if it is not the embedding."""
    weights = checkpoint.weights
    for name, shape in expected_shapes(checkpoint.dimensions):
        kind = dtype or _kept_type(weights.dtype(name))
        if name != _OUTPUT:
            yield Tensor(f"model.{name}", kind, shape, partial(_bytes_of, weights, name, kind))
        elif not _is_tied(weights):
            yield Tensor(name, kind, shape, partial(_bytes_of, weights, name, kind))


def _kept_type(stored: str) -> str:
    return stored if stored in DTYPES.values() else "F32"


def _is_tied(weights: Weights) -> bool:
    """Whether the output's matrix is the tokens' embedding; read by rows, as it is large."""
    if weights.stored_name(_OUTPUT) == weights.stored_name(_EMBEDDING):
        return True
    rows, _ = weights.shape(_EMBEDDING)
    bounds = [*range(0, rows, 4096), rows]
    return all(
        np.array_equal(weights.rows(_OUTPUT, slice(*each)), weights.rows(_EMBEDDING, slice(*each)))
        for each in pairwise(bounds)
    )


def _bytes_of(weights: Weights, name: str, dtype: str) -> bytes:
    if weights.dtype(name) == dtype:
        return weights.raw(name).tobytes()
    values = weights[name]
    with np.errstate(over="ignore"):
        stored = to_bytes(values, dtype)
    if dtype == "F16" and not np.isfinite(np.frombuffer(stored, np.float16)).all():
        raise CheckpointError(f"{name} has values beyond float16's: choose bfloat16 or float32")
    return stored


def _write_weights(
    path: Path, tensors: Sequence[Tensor], weights: Weights, on_bytes: OnBytes | None
) -> None:
    """Write the tensors; after each one, free the memory of the files it was read from."""
    total, done = sum(tensor.size for tensor in tensors), 0

    def made(tensor: Tensor) -> bytes:
        nonlocal done
        content = tensor.make()
        weights.release()
        done += len(content)
        if on_bytes is not None:
            on_bytes(done, total)
        return content

    write_safetensors(path, [replace(each, make=partial(made, each)) for each in tensors])


def _write_documents(checkpoint: Checkpoint, folder: Path, tensors: Sequence[Tensor]) -> None:
    """All files but the weights: those of the source where it has them, else made."""
    copied = _copy(checkpoint.folder, folder)
    tokenizer = checkpoint.tokens.tokenizer
    if not copied & {TOKENIZER, TOKENIZER_PARTS[0]}:
        tokenizer.save(str(folder / TOKENIZER), pretty=False)
    texts = {
        "config.json": _as_json(_config(checkpoint, tensors)),
        "generation_config.json": _as_json(generation_document(checkpoint.generation)),
        "preprocessor_config.json": _as_json(preprocessor_document(checkpoint.dimensions.mel_bins)),
        "tokenizer_config.json": _as_json(
            tokenizer_config_document(checkpoint.tokens, checkpoint.generation.max_length)
        ),
        **(tokenizer_parts(tokenizer) if TOKENIZER_PARTS[0] not in copied else {}),
    }
    for name, text in texts.items():
        if name not in copied:
            (folder / name).write_text(text, encoding="utf-8")


def _config(checkpoint: Checkpoint, tensors: Sequence[Tensor]) -> dict[str, Any]:
    """``config.json``: with the source's further fields if it is Transformers'."""
    path = checkpoint.folder / "config.json"
    theirs = read_json_object(path) if path.is_file() else {}
    if theirs.get("model_type") != "whisper":  # CTranslate2's, with other fields
        theirs = {}
    types = {tensor.dtype for tensor in tensors}
    widest = next(iter(types)) if len(types) == 1 else "F32"
    ours = {
        "torch_dtype": next(name for name, stored in DTYPES.items() if stored == widest),
        "tie_word_embeddings": all(tensor.name != _OUTPUT for tensor in tensors),
    }
    theirs.pop("dtype", None)
    return config_document(checkpoint.dimensions, checkpoint.generation) | theirs | ours


def _copy(source: Path, folder: Path) -> set[str]:
    """Copy what the source's folder has of Transformers' small files; returns their names."""
    found = {name for name in _COPIED if (source / name).is_file()}
    for name in found:
        shutil.copyfile(source / name, folder / name)
    return found


def _as_json(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
