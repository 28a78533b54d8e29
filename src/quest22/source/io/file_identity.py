"""Recognises a data file: by its ETag, its date and its size, as far as its server tells them.

A run that goes on with another file under the same name would mix two datasets.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_ETAG_NAMES = ("ETag", "etag", "e_tag", "md5Hash", "content_md5", "blob_id", "sha256")
_DATE_NAMES = ("LastModified", "last_modified", "mtime", "updated", "last_commit")


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What is known of a file's content without reading it; None for what its place does not tell.

    ``etag`` changes with every change; ``modified`` is a date as its place writes it.
    """

    size: int | None = None
    etag: str | None = None
    modified: str | None = None

    @classmethod
    def of_local(cls, file: int) -> FileIdentity:
        """Of an open file on this machine: its size, and its time of change in nanoseconds."""
        found = os.fstat(file)
        return cls(found.st_size, None, str(found.st_mtime_ns))

    @classmethod
    def of_headers(cls, headers: Mapping[str, str], size: int | None) -> FileIdentity:
        """Of a file on a web server, from the headers of a response."""
        return cls(size, headers.get("ETag"), headers.get("Last-Modified"))

    @classmethod
    def of_details(cls, details: Mapping[str, Any], size: int | None) -> FileIdentity:
        """Of a file in a store, from what fsspec knows of it."""
        etag, modified = (
            next((str(details[name]) for name in names if details.get(name)), None)
            for names in (_ETAG_NAMES, _DATE_NAMES)
        )
        return cls(size, etag, modified)

    @property
    def validator(self) -> str | None:
        """What a request may name in ``If-Range`` (RFC 9110, 13.1.5): weak ETags are none."""
        if self.etag is not None:
            return None if self.etag.startswith("W/") else self.etag
        return self.modified

    def change_to(self, other: FileIdentity) -> str | None:
        """What differs in ``other``, in words; None if nothing says that it is another file."""
        pairs = (
            ("ETag", _strong(self.etag), _strong(other.etag)),
            ("size", self.size, other.size),
            ("time of change", self.modified, other.modified),
        )
        known = [(name, was, now) for name, was, now in pairs if None not in (was, now)]
        if known and known[0][0] == "ETag":  # it changes with the content, dates without it too
            known = [each for each in known if each[0] != "time of change"]
        changes = [f"its {name} was {was} and is {now}" for name, was, now in known if was != now]
        return " and ".join(changes) or None


def _strong(etag: str | None) -> str | None:
    """An ETag without its mark of weakness, as two of them are compared (RFC 9110, 8.8.3.2)."""
    return None if etag is None else etag.removeprefix("W/")


def changed_message(name: str, change: str) -> str:
    """One line on a file that has changed, and what to do."""
    return (
        f"{name} has changed since the run began to read it ({change}): put the former file back, "
        "or start over with --restart"
    )
