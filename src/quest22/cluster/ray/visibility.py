"""Which machines see a folder of this one: each looks for a file that was just written there.

A path alone says nothing: machines have folders of the same name, and copies of each other's.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from quest22.cluster.ray.session import Node, RaySession, check_versions
from quest22.errors import UsageError
from quest22.settings import RUN_FOLDER


class SharedFolder(NamedTuple):
    """A store's folder, and a file in it that is there for as long as the run."""

    folder: Path
    probe: str

    @property
    def is_seen(self) -> bool:
        """Whether this machine sees the folder itself, not one of the same name."""
        return (self.folder / self.probe).is_file()


@contextmanager
def probed(folder: Path) -> Iterator[SharedFolder]:
    """Write a file by which a folder is recognised, and remove it at the end."""
    shared = SharedFolder(folder, f"{RUN_FOLDER}/probe-{uuid.uuid4().hex}")
    path = folder / shared.probe
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as exc:
        raise UsageError(f"cannot write into {folder}: {exc.strerror or exc}") from exc
    try:
        yield shared
    finally:
        with suppress(OSError):
            path.unlink()


def check_nodes(session: RaySession, shared: SharedFolder | None) -> Node | None:
    """The node that keeps the ledger of a folder: this machine, or any that sees the folder.

    None if there is no folder. Raises :class:`UsageError` if no node sees it, or if a node lacks
    quest22 or has another version.
    """
    found = session.on_each_node(
        _look(None if shared is None else str(shared.folder / shared.probe))
    )
    check_versions({node: version for node, (version, _) in found.items()})
    if shared is None:
        return None
    seeing = [node for node, (_, is_seen) in found.items() if is_seen]
    if not seeing:
        raise UsageError(
            f"no node of the Ray cluster sees {shared.folder}: give a folder that a node shares "
            "with this machine or s3://BUCKET/PREFIX, or start the command on a node, with "
            "--cluster auto"
        )
    return next((node for node in seeing if node.id == session.own_node), seeing[0])


def _look(path: str | None) -> Callable[[], tuple[str | None, bool]]:
    """A function that travels as it is, also to a machine without quest22."""

    def look() -> tuple[str | None, bool]:
        import os

        version: str | None
        try:
            from quest22.version import __version__ as version
        except ImportError:
            version = None
        return version, path is not None and os.path.isfile(path)  # noqa: PTH113 -- no imports here

    return look
