"""A repository of the Hub's stand-in: commits of files, branches and tags, kept in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

LARGE_BYTES = 64 << 10
"""From this size on a file counts as large (LFS): it is redirected to storage, as the Hub does."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One version of a file, in memory or on disk; ``sha256`` names it in storage.

    ``lfs`` makes a small file count as large: it was uploaded as one.
    """

    path: str
    content: bytes | Path
    size: int
    sha256: str
    lfs: bool = False

    @classmethod
    def of(cls, path: str, content: bytes | Path) -> StoredFile:
        if isinstance(content, bytes):
            return cls(path, content, len(content), hashlib.sha256(content).hexdigest())
        digest = hashlib.sha256()
        with content.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        return cls(path, content, content.stat().st_size, digest.hexdigest())

    @property
    def large(self) -> bool:
        return self.lfs or self.size >= LARGE_BYTES

    @property
    def etag(self) -> str:
        """The SHA-256 of a large file, the git object's name of a small one."""
        return self.sha256 if self.large else self.oid

    @property
    def oid(self) -> str:
        """The git object's name: of the file, or of the pointer to a large one."""
        content = f"{self.size}:{self.sha256}".encode() if self.large else self.read(0, self.size)
        return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()

    def read(self, start: int, end: int) -> bytes:
        """Bytes from ``start`` up to, without, ``end``."""
        if isinstance(self.content, bytes):
            return self.content[start:end]
        with self.content.open("rb") as file:
            file.seek(start)
            return file.read(end - start)


@dataclass(slots=True)
class Repository:
    """A model's or dataset's files over time.

    ``gated``: anyone sees that it exists and what is in it, only ``readers`` may download.
    ``private``: for all but ``readers`` it does not exist. ``written`` are the messages of commits
    that clients made.
    """

    kind: str
    name: str
    gated: bool = False
    private: bool = False
    readers: set[str] = field(default_factory=set)
    commits: dict[str, dict[str, StoredFile]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)

    def commit(self, files: Mapping[str, bytes | Path], *, branch: str = "main") -> str:
        """Make a commit with exactly these files the head of a branch; give its SHA."""
        return self.store([StoredFile.of(path, content) for path, content in files.items()], branch)

    def store(self, files: Iterable[StoredFile], branch: str = "main") -> str:
        """The same with files that are stored already."""
        stored = {file.path: file for file in sorted(files, key=lambda file: file.path)}
        named = [f"{self.kind}/{self.name}/{len(self.commits)}"]
        named += [f"{file.path}:{file.sha256}" for file in stored.values()]
        sha = hashlib.sha1("\n".join(named).encode()).hexdigest()
        self.commits[sha] = stored
        self.branches[branch] = sha
        return sha

    def head(self) -> dict[str, bytes]:
        """The files of ``main``, without what the Hub itself puts there."""
        files = self.commits[self.branches["main"]].values()
        return {file.path: file.read(0, file.size) for file in files if file.path[0] != "."}

    def tag(self, name: str, revision: str = "main") -> None:
        """Name a commit."""
        self.tags[name] = self.sha(revision) or revision

    def sha(self, revision: str) -> str | None:
        """The commit of a branch, a tag or itself; None where there is no such revision."""
        short = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
        found = self.branches.get(short) or self.tags.get(short)
        return found or (revision if revision in self.commits else None)

    def may_read(self, token: str | None) -> bool:
        return token in self.readers or not (self.gated or self.private)


def files_of(folder: Path) -> dict[str, bytes | Path]:
    """Every file of a folder by its path within it, to be given to :meth:`Repository.commit`."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in paths}
