"""What lies in a model's folder: whether it is a usable checkpoint, and what it is if it is not."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from quest22.checkpoint.vocabulary import PARTS, TOKENIZER
from quest22.checkpoint.weights import INDEX, SINGLE
from quest22.errors import CheckpointError

PICKLED = (
    "has only pickled or otherwise foreign weights, which are never opened because they can run "
    "code: load it in Transformers where you trust it and save it again with save_pretrained(), "
    "which writes model.safetensors"
)


def check_folder(folder: Path) -> None:
    """Raise :class:`CheckpointError` unless config, weights and tokenizer are all there."""
    try:
        names = {path.name for path in folder.iterdir()}
    except OSError as exc:
        raise CheckpointError(f"{folder} cannot be read: {exc.strerror or exc}") from exc
    foreign = foreign_format(names)
    if foreign and not has_weights(names):
        raise CheckpointError(f"{folder} {foreign}")
    if "config.json" not in names:
        raise CheckpointError(
            f"{folder} has no config.json: expected the folder of a Whisper model with "
            f"config.json, {SINGLE} and {TOKENIZER}"
        )
    if not has_weights(names):
        raise CheckpointError(f"{folder} has no weights: expected {SINGLE} or its shards' index")
    if not has_tokenizer(names):
        raise CheckpointError(
            f"{folder} has no tokenizer: expected {TOKENIZER}, or {PARTS[0]} with {PARTS[1]}; "
            "copy it from the model it was trained from"
        )


def has_weights(names: Collection[str]) -> bool:
    """Whether safetensors weights of a whole model are among a folder's files."""
    return SINGLE in names or INDEX in names


def has_tokenizer(names: Collection[str]) -> bool:
    """Whether a tokenizer in either form is among a folder's files."""
    return TOKENIZER in names or (PARTS[0] in names and PARTS[1] in names)


def foreign_format(names: Collection[str]) -> str | None:
    """What else a set of files is, said as the rest of a sentence; None where it is unknown."""
    if "adapter_config.json" in names:
        return (
            "holds an adapter (LoRA), not a whole model: merge it into its base model "
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


def refuse_file(path: Path) -> CheckpointError:
    """What to say when a file was given where a model's folder belongs."""
    if path.name in (SINGLE, INDEX):
        return CheckpointError(f"{path} is a file of a model: give its folder, {path.parent}")
    if path.suffix == ".pt":
        return CheckpointError(
            f"{path} is an openai/whisper checkpoint, a pickle that can run code and is never "
            "opened: give the model's short name (such as 'base') or its Hub id"
        )
    return CheckpointError(f"{path} is a file: expected a model's folder, Hub id or short name")
