"""A model in the forms that other programs read, written once into the benchmark's folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from quest22.bench.peers.ggml import write_ggml
from quest22.checkpoint.load import load
from quest22.checkpoint.save import save
from quest22.errors import UsageError


def weights_for(model: str, forms: Iterable[str], folder: Path) -> dict[str, str]:
    """Form → file or folder. Raises :class:`UsageError` for weights that cannot be in it."""
    makers = {"ctranslate2": _ctranslate2, "transformers": _transformers, "ggml": _ggml}
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


def _ggml(model: str, folder: Path) -> Path:
    target = folder / "ggml.bin"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_ggml(model, target)
    return target
