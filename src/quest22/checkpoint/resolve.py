"""Resolves a model's name to a local folder: embedded, short name, path, or Hub id."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from importlib import resources
from pathlib import Path

from quest22.checkpoint.caches import find_cached, find_cached_id, is_commit
from quest22.checkpoint.files import check_folder, file_instead_of_folder
from quest22.checkpoint.formats.ggml import is_ggml
from quest22.checkpoint.known_models import EMBEDDED_MODELS, KNOWN_MODELS
from quest22.errors import CheckpointError, UsageError

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_HUB_ADDRESS = re.compile(r"(?:hf://|https://huggingface\.co/)([^/]+/[^/]+)/?")
_PATH_STARTS = (".", "/", "~")

_log = logging.getLogger("quest22")


@dataclass(frozen=True, slots=True)
class ResolvedFolder:
    """A checkpoint's folder, or its only file (whisper.cpp's).

    ``revision`` is the Hub's commit, None for local files. ``origin`` is what a short name was
    found to be: an id on the Hub, or the cache it lies in; empty for other names.
    """

    folder: Path
    name: str
    revision: str | None
    origin: str = ""


def resolve(name: str, *, revision: str | None = None, token: str | None = None) -> ResolvedFolder:
    """Find a checkpoint by short name, path or Hub id; download it if it is not cached.

    The URL of a model's page on the Hub works too. A short name wins over a folder of the same name
    (write ``./base`` for the folder). It is taken from the caches where they have it, also as a
    conversion of faster-whisper's, and then the Hub is not asked; an id is looked up on the Hub.
    ``revision`` is a branch, tag or commit on the Hub, and is resolved to a commit.

    Raises :class:`CheckpointError` if there is no usable model, and :class:`UsageError` for a
    revision of one that has none.
    """
    name = name.strip()
    if name in EMBEDDED_MODELS:
        _refuse_revision(f"{name} comes with the package", revision)
        return ResolvedFolder(_embedded_folder(name), name, None)
    if name in KNOWN_MODELS:
        return _of_short_name(name, revision, token)
    path = _as_path(name)
    if path:
        _refuse_revision(f"{path} is on this machine", revision)
        return ResolvedFolder(_local_folder(path), name, None)
    hub_id = hub_id_of(name)
    if hub_id is not None:
        return _from_hub(hub_id, name, revision, token)
    raise unknown_model(name)


def locate(name: str) -> ResolvedFolder | None:
    """What :func:`resolve` finds on this machine, by the same names; None if it must download it.

    An id's main branch is looked for in the Hub's cache; the Hub is not asked. Raises
    :class:`CheckpointError` for a folder that is no model, and for a name that nothing can have.
    """
    name = name.strip()
    if name in EMBEDDED_MODELS:
        return ResolvedFolder(_embedded_folder(name), name, None)
    hub_id = None if name in KNOWN_MODELS else hub_id_of(name)
    if hub_id is None and name not in KNOWN_MODELS:
        path = _as_path(name)
        if path is None:
            raise unknown_model(name)
        return ResolvedFolder(_local_folder(path), name, None)
    found = find_cached(name) if hub_id is None else find_cached_id(hub_id)
    if found is None:
        return None
    return ResolvedFolder(found.path.resolve(), name, found.revision, found.origin)


def hub_id_of(name: str) -> str | None:
    """The id on the Hub that a name is, or the address of; None for paths and short names."""
    name = name.strip()
    if name in EMBEDDED_MODELS or name in KNOWN_MODELS or _as_path(name):
        return None
    address = _HUB_ADDRESS.fullmatch(name)
    hub_id = address.group(1) if address else name
    return hub_id if _HUB_ID.fullmatch(hub_id) else None


def unknown_model(name: str) -> CheckpointError:
    """The error for a name that no model has."""
    names = (*EMBEDDED_MODELS, *KNOWN_MODELS)
    near = get_close_matches(name.lower().removeprefix("whisper-"), names, n=3)
    hint = f"did you mean {', '.join(near)}?" if near else f"short names are {', '.join(names)}"
    shown = name if len(name) <= 80 else f"{name[:77]}..."
    return CheckpointError(
        f"unknown model {shown!r}: expected a folder, a Hub id (org/name) or a short name; {hint}"
    )


def _refuse_revision(where: str, revision: str | None) -> None:
    if revision is not None:
        raise UsageError(
            f"{where} and has no revisions: expected no model revision, not {revision!r}"
        )


def _of_short_name(name: str, revision: str | None, token: str | None) -> ResolvedFolder:
    """From the caches, unless a branch or a tag is asked for; else from the Hub."""
    cached = find_cached(name, revision) if revision is None or is_commit(revision) else None
    if cached is None:
        hub_id = KNOWN_MODELS[name].hub_id
        return replace(_from_hub(hub_id, name, revision, token), origin=hub_id)
    _log.info("%s is %s (%s), in %s", name, cached.origin, cached.format, cached.path)
    return ResolvedFolder(cached.path.resolve(), name, cached.revision, cached.origin)


def _from_hub(hub_id: str, name: str, revision: str | None, token: str | None) -> ResolvedFolder:
    # Imported here because the Hub's client takes half a second to load.
    from quest22.checkpoint.hub import download

    folder = download(hub_id, revision=revision, token=token)
    check_folder(folder)
    return ResolvedFolder(folder, name, folder.name)


def _embedded_folder(name: str) -> Path:
    folder = Path(str(resources.files("quest22.checkpoint") / name))
    if not (folder / "config.json").is_file():
        raise CheckpointError(
            f"the embedded model {name!r} is missing: reinstall quest22, or name another model"
        )
    return folder


def _as_path(name: str) -> Path | None:
    """The name as a path, if the path exists or the name can only be a path."""
    try:
        path = Path(name).expanduser()
        return path if name and (path.exists() or name.startswith(_PATH_STARTS)) else None
    except (OSError, RuntimeError, ValueError):  # too long, unknown user, null byte
        return None


def _local_folder(path: Path) -> Path:
    if path.is_file():
        if is_ggml(path):
            return path.resolve()
        raise file_instead_of_folder(path)
    if path.exists() and not path.is_dir():
        raise CheckpointError(
            f"{path} is a device or a pipe: expected a model's folder, or whisper.cpp's ggml-*.bin"
        )
    if not path.is_dir():
        raise CheckpointError(
            f"{path} does not exist: expected a model's folder; for a model on the Hub give its "
            "id, such as openai/whisper-tiny"
        )
    check_folder(path)
    return path.resolve()
