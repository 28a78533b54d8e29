"""A model's name to a folder on this machine: embedded, local, by short name, or from the Hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import resources
from pathlib import Path

from quest22.checkpoint.files import check_folder, refuse_file
from quest22.checkpoint.known_models import EMBEDDED, KNOWN
from quest22.errors import CheckpointError

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_HUB_ADDRESS = re.compile(r"(?:hf://|https://huggingface\.co/)([^/]+/[^/]+)/?")
_PATH_STARTS = (".", "/", "~")


@dataclass(frozen=True, slots=True)
class ResolvedFolder:
    """A checkpoint's folder; ``revision`` is the Hub's commit, None for a folder of one's own."""

    folder: Path
    name: str
    revision: str | None


def resolve(name: str, *, revision: str | None = None, token: str | None = None) -> ResolvedFolder:
    """Find a checkpoint by short name, path or Hub id; download it where it is not cached.

    The address of a model's page on the Hub is understood too. A short name wins over a folder of
    that name (write ``./base`` for the folder). ``revision`` is a branch, tag or commit of the
    Hub; it is pinned to a commit. Raises :class:`CheckpointError` where there is nothing usable.
    """
    name = name.strip()
    if name in EMBEDDED:
        return ResolvedFolder(_embedded(name), name, None)
    if name in KNOWN:
        return _from_hub(KNOWN[name].hub_id, name, revision, token)
    path = _path(name)
    if path:
        return ResolvedFolder(_local(path), name, None)
    address = _HUB_ADDRESS.fullmatch(name)
    hub_id = address.group(1) if address else name
    if _HUB_ID.fullmatch(hub_id):
        return _from_hub(hub_id, name, revision, token)
    raise _unknown(name)


def _from_hub(hub_id: str, name: str, revision: str | None, token: str | None) -> ResolvedFolder:
    # Here, not at the top: the Hub's client takes half a second to import.
    from quest22.checkpoint.hub import download

    folder = download(hub_id, revision=revision, token=token)
    check_folder(folder)
    return ResolvedFolder(folder, name, folder.name)


def _embedded(name: str) -> Path:
    folder = Path(str(resources.files("quest22.checkpoint") / name))
    if not (folder / "config.json").is_file():
        raise CheckpointError(
            f"this installation does not carry the model {name!r}: install quest22 again, or name "
            "another model"
        )
    return folder


def _path(name: str) -> Path | None:
    """The path that a name means: one that exists, or that can be nothing else."""
    try:
        path = Path(name).expanduser()
        return path if name and (path.exists() or name.startswith(_PATH_STARTS)) else None
    except (OSError, RuntimeError, ValueError):  # too long, nobody's home, a null byte
        return None


def _local(path: Path) -> Path:
    if path.is_file():
        raise refuse_file(path)
    if not path.is_dir():
        raise CheckpointError(
            f"{path} does not exist: expected a model's folder; for a model of the Hub write its "
            "id, such as openai/whisper-tiny"
        )
    check_folder(path)
    return path.resolve()


def _unknown(name: str) -> CheckpointError:
    names = (*EMBEDDED[:1], *KNOWN)
    near = get_close_matches(name.lower().removeprefix("whisper-"), names, n=3)
    hint = f"did you mean {', '.join(near)}?" if near else f"short names are {', '.join(names)}"
    shown = name if len(name) <= 80 else f"{name[:77]}..."
    return CheckpointError(
        f"unknown model {shown!r}: expected a folder, a Hub id (org/name) or a short name; {hint}"
    )
