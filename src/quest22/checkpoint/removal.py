"""Deletes checkpoints from the caches that quest22 fills: the Hub's and its own.

Nothing outside them is touched: a path elsewhere is refused, and links are never followed. What a
repository keeps in the Hub's cache is deleted by the Hub's client, which knows what others share.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from quest22.checkpoint.caches import (
    CachedCheckpoint,
    bytes_below,
    find_cached,
    hub_cache,
    hub_repository,
    own_folder,
)
from quest22.checkpoint.known_models import EMBEDDED_MODELS, KNOWN_MODELS
from quest22.checkpoint.resolve import hub_id_of, unknown_model
from quest22.errors import CheckpointError, UsageError

_WHERE = "only what lies in the Hub's cache or in quest22's own is deleted"


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """A checkpoint's folder in a cache: a repository with its ``revisions``, or our own copy.

    ``size_bytes`` is what lies there, broken downloads included. ``title`` is for people.
    """

    title: str
    path: Path
    size_bytes: int
    revisions: int = 0


def find_entry(name: str) -> CacheEntry:
    """The cache entry of a short name, a Hub id or a path in a cache, whole or not.

    Of a short name it is the one that ``--model`` takes, else the first of which there is any part.
    Raises :class:`UsageError` for what no cache may lose, and :class:`CheckpointError` if there is
    no such entry.
    """
    name = name.strip()
    if name in EMBEDDED_MODELS:
        raise UsageError(f"{name} comes with the package, and goes with it: {_WHERE}")
    if name in KNOWN_MODELS:
        path = next(_of_short_name(name), None)
    elif hub_id := hub_id_of(name):
        path = hub_repository(hub_id)
    else:
        path = _of_path(name)
    path = path and _absolute(path)
    if path is None or not os.path.lexists(path):
        raise CheckpointError(
            f"{name} is in neither the Hub's cache nor quest22's own: quest22 models lists what is"
        )
    return _entry(path)


def delete_entry(entry: CacheEntry) -> None:
    """Delete an entry. Raises :class:`CheckpointError` if not all of it can be deleted."""
    try:
        if not _deleted_by_client(entry.path):
            shutil.rmtree(entry.path)
    except OSError as exc:
        raise CheckpointError(
            f"{entry.path} was not deleted wholly ({exc.strerror or exc}): check whose it is, and "
            "whether a program has it open"
        ) from exc
    if entry.path.exists():  # the client only logs what it may not delete
        raise CheckpointError(
            f"{entry.path} was not deleted wholly: check whose it is, and whether a program has it "
            "open"
        )


def _of_short_name(name: str) -> Iterator[Path]:
    """Folders that a short name may mean, best first."""
    found = find_cached(name)
    if found is not None:
        yield _folder_of(found)
    hub_ids = (KNOWN_MODELS[name].hub_id, *KNOWN_MODELS[name].converted_ids)
    for path in (*map(hub_repository, hub_ids), own_folder(name)):
        if os.path.lexists(path):
            yield path


def _folder_of(found: CachedCheckpoint) -> Path:
    return found.path if found.revision is None else found.path.parent.parent


def _of_path(name: str) -> Path:
    """The entry that a path is in. Links on the way are not followed."""
    try:
        path = _absolute(Path(name).expanduser())
    except (RuntimeError, ValueError):
        raise unknown_model(name) from None
    for cache, prefix in ((hub_cache(), "models--"), (own_folder(""), "")):
        home = _absolute(cache)
        inside = path.relative_to(home).parts if path.is_relative_to(home) else ()
        if inside and inside[0].startswith(prefix):
            return home / inside[0]
    if os.path.lexists(path):
        raise UsageError(f"{path} is in no cache: {_WHERE}; delete the folder yourself")
    raise unknown_model(name)


def _entry(path: Path) -> CacheEntry:
    if path.is_symlink() or not path.is_dir():
        raise UsageError(
            f"{path} is a link or a file, and no folder of a cache: delete it yourself, if you "
            "want to"
        )
    if path.parent != _absolute(hub_cache()):
        return CacheEntry(f"{path.name} of quest22's cache", path, bytes_below(path))
    hub_id = path.name.removeprefix("models--").replace("--", "/")
    snapshots = path / "snapshots"
    revisions = len(list(snapshots.iterdir())) if snapshots.is_dir() else 0
    return CacheEntry(hub_id, path, bytes_below(path), revisions)


def _absolute(path: Path) -> Path:
    """An absolute path, without following links."""
    return Path(os.path.abspath(path))  # noqa: PTH100 -- resolve() would follow them


def _deleted_by_client(path: Path) -> bool:
    """Delete a repository with all revisions; False if the client does not know it as one.

    Such are downloads that ended before the first file, and damaged ones.
    """
    if path.parent != _absolute(hub_cache()):
        return False
    from huggingface_hub import scan_cache_dir

    cache = scan_cache_dir(path.parent)
    known = [each for each in cache.repos if each.repo_path.name == path.name]
    commits = [each.commit_hash for repository in known for each in repository.revisions]
    if not commits:
        return False
    # Of this repository alone, because another one might have a commit of the same name.
    replace(cache, repos=frozenset(known)).delete_revisions(*commits).execute()
    return True
