"""A model in the forms that other programs read, written once into the benchmark's folder."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from safetensors.numpy import save_file

from quest22.bench.peers.ggml import ggml_name, write_ggml
from quest22.checkpoint.config import Dimensions
from quest22.checkpoint.load import load
from quest22.checkpoint.save import save
from quest22.errors import UsageError


def weights_for(model: str, forms: Iterable[str], folder: Path) -> dict[str, str]:
    """Form → file or folder. Raises :class:`UsageError` for weights that cannot be in it."""
    makers = {
        "ctranslate2": _ctranslate2,
        "transformers": _transformers,
        "both": _both,
        "ggml": _ggml,
        "openai": _openai,
    }
    return {form: str(makers[form](model, folder / Path(model).name)) for form in forms}


def _ctranslate2(model: str, folder: Path) -> Path:
    """The model's own folder if it is one of CTranslate2's."""
    own = load(model).folder
    if not (own / "model.bin").is_file():
        raise UsageError(
            f"the other program needs {model} in CTranslate2's form, expected model.bin in {own}: "
            "give a folder of faster-whisper's"
        )
    return own


def _transformers(model: str, folder: Path) -> Path:
    target = folder / "transformers" / Path(model).name  # programs know a model by its folder
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        save(load(model), target, "float32")
    return target


def _both(model: str, folder: Path) -> Path:
    """Transformers' and CTranslate2's files in one folder, with a configuration for both readers.

    WhisperLiveKit encodes with the one and decodes with the other, and takes a folder whose
    configuration names a model type for Transformers' alone.
    """
    own, other = _ctranslate2(model, folder), _transformers(model, folder)
    target = folder / "both" / Path(model).name
    if not target.exists():
        target.mkdir(parents=True)
        config: dict[str, Any] = {}
        for each in (own, other):
            config |= json.loads((each / "config.json").read_text(encoding="utf-8"))
        config.pop("model_type")
        (target / "config.json").write_text(json.dumps(config), encoding="utf-8")
        for file in (*other.iterdir(), *own.iterdir()):
            if not (target / file.name).exists():
                (target / file.name).symlink_to(file.resolve())
    return target


def _openai(model: str, folder: Path) -> Path:
    """Tensors by openai/whisper's names, in a file beside that of the dimensions."""
    target = folder / "openai.safetensors"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        checkpoint = load(model)
        names = [name for name in checkpoint.weights if not name.startswith("proj_out")]
        tensors = {ggml_name(name): checkpoint.weights[name] for name in names}
        dimensions = openai_dimensions(checkpoint.dimensions)
        target.with_suffix(".json").write_text(json.dumps(dimensions), encoding="utf-8")
        save_file(tensors, target)
    return target


def openai_dimensions(sizes: Dimensions) -> dict[str, int]:
    """The sizes of a model by openai/whisper's names."""
    return {
        "n_mels": sizes.mel_bins,
        "n_audio_ctx": sizes.max_source_positions,
        "n_audio_state": sizes.d_model,
        "n_audio_head": sizes.encoder_heads,
        "n_audio_layer": sizes.encoder_layers,
        "n_vocab": sizes.vocab_size,
        "n_text_ctx": sizes.max_target_positions,
        "n_text_state": sizes.d_model,
        "n_text_head": sizes.decoder_heads,
        "n_text_layer": sizes.decoder_layers,
    }


def _ggml(model: str, folder: Path) -> Path:
    target = folder / "ggml.bin"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_ggml(model, target)
    return target
