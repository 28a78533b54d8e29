"""An object store in memory that can lose requests and answers."""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterator
from pathlib import Path

from quest22.cluster.ledger import LedgerUnavailableError
from quest22.cluster.object_store import Entry, Stored


class MemoryStore:
    """A local file stands for its path. ``refused`` and ``unanswered`` are shares of the calls."""

    def __init__(self, seed: int = 0, refused: float = 0.0, unanswered: float = 0.0) -> None:
        self.objects: dict[str, Stored] = {}
        self.folders: dict[str, dict[str, str]] = {}
        self.changed: list[str] = []
        self._rng = random.Random(seed)
        self._refused, self._unanswered = refused, unanswered
        self._versions = 0

    @property
    def shown(self) -> str:
        return "memory"

    def create(self, name: str, content: bytes | Path) -> bool:
        self._refuse()
        is_new = name not in self.objects
        if is_new:
            self._put(name, content)
        self._lose_answer()
        return is_new

    def write(self, name: str, content: bytes) -> None:
        self._refuse()
        self._put(name, content)
        self._lose_answer()

    def replace(self, name: str, content: bytes | Path, version: Hashable) -> bool:
        self._refuse()
        known = self.objects.get(name)
        is_same = known is not None and known.version == version
        if is_same:
            self._put(name, content)
        self._lose_answer()
        return is_same

    def read(self, name: str) -> Stored | None:
        self._refuse()
        return self.objects.get(name)

    def exists(self, name: str) -> bool:
        return self.read(name) is not None

    def holds(self, name: str, path: Path) -> bool:
        stored = self.read(name)
        return stored is not None and stored.content == str(path).encode()

    def listing(self, folder: str) -> Iterator[Entry]:
        self._refuse()
        for name, whole in list(self.folders.get(folder, {}).items()):
            yield Entry(name, lambda whole=whole: self.objects[whole].version)

    def calm(self) -> MemoryStore:
        """The same objects, all of whose requests are answered."""
        self._refused = self._unanswered = 0.0
        return self

    def _put(self, name: str, content: bytes | Path) -> None:
        self._versions += 1
        if name in self.objects:
            self.changed.append(name)
        data = str(content).encode() if isinstance(content, Path) else content
        self.objects[name] = Stored(data, self._versions)
        folder, _, last = name.rpartition("/")
        self.folders.setdefault(folder, {})[last] = name

    def _refuse(self) -> None:
        if self._rng.random() < self._refused:
            raise LedgerUnavailableError("503")

    def _lose_answer(self) -> None:
        if self._rng.random() < self._unanswered:
            raise LedgerUnavailableError("timed out")
