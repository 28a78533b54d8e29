"""The page's files, read once at start: no part of a request is ever used as a path.

The package contains the files as they are served, without a build step. Modules import each other
by relative URLs, so one hash over all files in the URL lets browsers cache them forever.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
INDEX = "index.html"
PLACE = "page/here/"
"""The URL prefix in the page's source; the hash replaces ``here``."""


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file to serve; ``tag`` is its ETag."""

    data: bytes
    media_type: str
    tag: str


@dataclass(frozen=True, slots=True)
class PageFiles:
    """All files by name, such as ``words/en.js``, and a hash over all of them."""

    index: PageFile
    files: dict[str, PageFile]
    version: str

    @classmethod
    def read(cls) -> PageFiles:
        """Read the files in the package."""
        found = dict(sorted(_walk(resources.files("quest22.server.page") / "static")))
        version = _hash(*(part for name in found for part in (name.encode(), found[name])))[:16]
        page = found.pop(INDEX).replace(PLACE.encode(), f"page/{version}/".encode())
        files = {name: _file(name, data) for name, data in found.items()}
        return cls(_file(INDEX, page), files, version)


def _file(name: str, data: bytes) -> PageFile:
    return PageFile(data, TYPES[name[name.rindex(".") :]], f'"{_hash(data)[:32]}"')


def _hash(*parts: bytes) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(len(part).to_bytes(8, "big"))
        found.update(part)
    return found.hexdigest()


def _walk(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    for each in folder.iterdir():
        if each.is_dir():
            yield from _walk(each, f"{prefix}{each.name}/")
        elif each.name[each.name.rfind(".") :] in TYPES:
            yield f"{prefix}{each.name}", each.read_bytes()
