"""Checkpoints in the caches on this machine: the Hub's, quest22's own and openai/whisper's.

Looks at files; downloads nothing and knows no network.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from quest22.checkpoint.files import (
    CTRANSLATE2_WEIGHTS,
    WEIGHTS,
    WEIGHTS_INDEX,
    check_folder,
    is_ctranslate2,
    read_json_object,
)
from quest22.checkpoint.formats.ctranslate2 import is_whisper
from quest22.checkpoint.formats.ggml import is_ggml
from quest22.checkpoint.known_models import BEST_FIRST, KNOWN_MODELS
from quest22.checkpoint.weights import shard_names
from quest22.env import cache_folder, openai_whisper_folder
from quest22.errors import CheckpointError, UsageError

SAFETENSORS, CTRANSLATE2, GGML, PICKLE = "safetensors", "CTranslate2", "ggml", "pickle"
OWN_CACHE = "quest22's cache"

_COMMIT = re.compile(r"[0-9a-f]{40}")
_REPOSITORY = "models--"

_log = logging.getLogger("quest22")


@dataclass(frozen=True, slots=True)
class CachedCheckpoint:
    """A complete checkpoint in a cache."""

    name: Annotated[str | None, "What `--model` takes; null for a pickle, which nothing opens."]
    path: Annotated[Path, "Its folder, or the file of whisper.cpp or openai/whisper."]
    format: str
    size_bytes: int
    origin: Annotated[str, "Its id on the Hub, or the cache it lies in."]
    revision: Annotated[str | None, "Its commit on the Hub."] = None


def find_cached(name: str, revision: str | None = None) -> CachedCheckpoint | None:
    """The checkpoint of a short name: the original, else its conversion, else quest22's own copy.

    ``revision`` is a commit: only a repository that has it counts, and quest22's cache has none.
    """
    model = KNOWN_MODELS[name]
    for hub_id in (model.hub_id, *model.converted_ids):
        if found := _in_hub_cache(hub_id, name, revision):
            return found
    return _in_own_cache(name) if revision is None else None


def is_commit(revision: str | None) -> bool:
    """Whether a revision is a whole commit rather than a branch or a tag."""
    return revision is not None and _COMMIT.fullmatch(revision) is not None


def best_cached() -> CachedCheckpoint | None:
    """The best checkpoint with a short name in the caches: see :data:`BEST_FIRST`."""
    return next((found for name in BEST_FIRST if (found := find_cached(name))), None)


def best_model() -> str:
    """The name of the best checkpoint in the caches, which is logged as a warning.

    Raises :class:`UsageError` if there is none.
    """
    best = best_cached()
    if best is None or best.name is None:
        base = KNOWN_MODELS["base"]
        raise UsageError(
            "no model is named and there is none in the caches: name one, such as -m base "
            f'(model="base" in Python), which downloads {base.download_mb} MB; without the Hub, '
            "run make weights in a clone of the repository; to try the program, quest22 demo"
        )
    english = "" if KNOWN_MODELS[best.name].multilingual else ", for English only"
    _log.warning(
        "no model is named: %s is the best in the caches (%s)%s", best.name, best.origin, english
    )
    return best.name


def cached_checkpoints() -> Iterator[CachedCheckpoint]:
    """Every checkpoint in the caches: the Hub's, then quest22's own, then openai/whisper's."""
    names = {each.hub_id: each.name for each in reversed(list(KNOWN_MODELS.values()))}
    for repository in sorted(hub_cache().glob(f"{_REPOSITORY}*")):
        hub_id = repository.name.removeprefix(_REPOSITORY).replace("--", "/")
        if found := _in_hub_cache(hub_id, names.get(hub_id, hub_id)):
            yield found
        yield from _ggml_files(repository, hub_id)
    for folder in sorted(own_folder("").glob("*")):
        if found := _in_own_cache(folder.name):
            yield found
    for path in sorted(openai_whisper_folder().glob("*.pt")):
        yield CachedCheckpoint(None, path, PICKLE, path.stat().st_size, "openai/whisper's cache")


def find_cached_id(hub_id: str) -> CachedCheckpoint | None:
    """A repository's main branch in the Hub's cache, if it is complete."""
    return _in_hub_cache(hub_id, hub_id)


def own_folder(name: str) -> Path:
    """Where quest22's own cache keeps a checkpoint, there or not."""
    return cache_folder() / "weights" / name


def hub_cache() -> Path:
    """The Hub's cache of models and datasets, there or not."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def hub_repository(hub_id: str) -> Path:
    """Where the Hub's cache keeps all revisions of a model, there or not."""
    return hub_cache() / f"{_REPOSITORY}{hub_id.replace('/', '--')}"


def disk_bytes(found: CachedCheckpoint) -> int:
    """What its cache entry takes on disk: all revisions, and downloads that were broken off."""
    if found.revision is None:
        return bytes_below(found.path)
    return bytes_below(found.path.parent.parent if found.path.is_dir() else found.path.parents[2])


def bytes_below(path: Path) -> int:
    """Bytes of the files in a folder of a cache, or of a file, each once.

    Links are followed where they stay in the Hub's cache: its files lie in ``blobs`` of their
    repository, or in one that all repositories share.
    """
    homes = (path.resolve(), hub_cache().resolve())
    walked = (Path(folder, name) for folder, _, names in os.walk(path) for name in names)
    files = {each.resolve() for each in (walked if path.is_dir() else [path])}
    inside = (each for each in files if any(each.is_relative_to(home) for home in homes))
    return sum(each.stat().st_size for each in inside if each.is_file())


def _in_hub_cache(hub_id: str, name: str, revision: str | None = None) -> CachedCheckpoint | None:
    """A repository's snapshot of a commit, or else of its main branch, if it is complete."""
    repository = hub_repository(hub_id)
    commit = revision or _main_commit(repository)
    if commit is None:
        return None
    return _complete(repository / "snapshots" / commit, name, hub_id, commit)


def _main_commit(repository: Path) -> str | None:
    try:
        return (repository / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None


def _in_own_cache(name: str) -> CachedCheckpoint | None:
    folder = own_folder(name)
    return _complete(folder, name if name in KNOWN_MODELS else str(folder), OWN_CACHE)


def _complete(
    folder: Path, name: str, origin: str, revision: str | None = None
) -> CachedCheckpoint | None:
    """A folder as a checkpoint; None if it is not a whole Whisper model."""
    try:
        check_folder(folder)
        names = {path.name for path in folder.iterdir()}
        if is_ctranslate2(names):
            files = [folder / CTRANSLATE2_WEIGHTS]
            kind, whisper = CTRANSLATE2, is_whisper(files[0])
        else:
            files = _safetensors_files(folder)
            config = read_json_object(folder / "config.json")
            kind, whisper = SAFETENSORS, config.get("model_type") == "whisper"
        size_bytes = sum(path.stat().st_size for path in files)
    except (CheckpointError, OSError):
        return None
    return CachedCheckpoint(name, folder, kind, size_bytes, origin, revision) if whisper else None


def _safetensors_files(folder: Path) -> list[Path]:
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    return [folder / shard for shard in sorted(set(shard_names(folder / WEIGHTS_INDEX).values()))]


def _ggml_files(repository: Path, hub_id: str) -> Iterator[CachedCheckpoint]:
    commit = _main_commit(repository) or ""
    for path in sorted((repository / "snapshots" / commit).glob("ggml-*.bin")):
        if is_ggml(path):
            yield CachedCheckpoint(str(path), path, GGML, path.stat().st_size, hub_id, commit)
