"""Where a cluster's plan, ledger and outputs lie: named objects that are created once.

All coordination rests on one promise: of those that create the same name at the same time, one
succeeds, and everybody sees its whole content.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol


class Entry(NamedTuple):
    """An object in a listing. ``version`` gives a value that changes when its content does."""

    name: str
    version: Callable[[], Hashable]


class Stored(NamedTuple):
    """An object's content."""

    content: bytes
    version: Hashable


class ObjectStore(Protocol):
    """Objects by name; ``/`` in a name separates folders, which need not be made.

    Every call may raise :class:`quest22.cluster.ledger.LedgerUnavailableError` after a fault that
    may pass, and :class:`quest22.errors.SinkError` after one that will not.
    """

    @property
    def shown(self) -> str:
        """The store's address as people may see it."""
        ...

    def create(self, name: str, content: bytes | Path) -> bool:
        """Create an object; False if there is one of that name, which stays as it is.

        The content of a file is durable once this returns.
        """
        ...

    def write(self, name: str, content: bytes) -> None:
        """Replace a small object whatever it is; one process alone writes each."""
        ...

    def replace(self, name: str, content: bytes | Path, version: Hashable) -> bool:
        """Replace an object; False if it no longer has this version, and stays as it is."""
        ...

    def read(self, name: str) -> Stored | None:
        """An object's content; None if there is none."""
        ...

    def exists(self, name: str) -> bool: ...

    def holds(self, name: str, path: Path) -> bool:
        """Whether an object's content equals that of a local file."""
        ...

    def listing(self, folder: str) -> Iterator[Entry]:
        """The objects in a folder, without those in its subfolders; none if there is no folder."""
        ...
