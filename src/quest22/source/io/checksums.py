"""Checksums that servers send with what they send (RFC 9530, RFC 3230, RFC 1864, Google's)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

_ALGORITHMS = {"md5": "md5", "sha": "sha1", "sha-1": "sha1", "sha-256": "sha256",
               "sha-512": "sha512"}  # fmt: skip
_OF_WHOLE = ("Repr-Digest", "Digest", "x-goog-hash")
_ENTRY = re.compile(r"([A-Za-z0-9-]+)=:?([A-Za-z0-9+/=]+):?")


@dataclass(frozen=True, slots=True)
class Checksum:
    """What some bytes must hash to; ``whole``: all of the file, else those of one response."""

    algorithm: str
    digest: bytes
    whole: bool

    def hasher(self) -> Any:
        """A hash object to feed the bytes to."""
        return hashlib.new(self.algorithm, usedforsecurity=False)


def checksums_of(
    headers: Mapping[str, str], data: bytes, known: Collection[Checksum] = ()
) -> list[Checksum]:
    """The checksums in a response's headers; ``data`` is its body.

    A ``Content-MD5`` is that of the body, but some servers send the whole file's with each part: it
    is taken for that where it is not the first body's, and then where it is among ``known``.
    """
    found = [*_entries(headers, "Content-Digest", whole=False)]
    found += [each for name in _OF_WHOLE for each in _entries(headers, name, whole=True)]
    digest = _decoded(headers.get("Content-MD5", ""))
    if digest is not None:
        of_whole = Checksum("md5", digest, whole=True)
        of_body = hashlib.md5(data, usedforsecurity=False).digest() == digest
        found.append(of_whole if of_whole in known or (not known and not of_body) else
                     Checksum("md5", digest, whole=False))  # fmt: skip
    return found


def broken_checksum(checksums: Collection[Checksum], data: bytes) -> str | None:
    """The algorithm of a checksum that the body of one response does not have."""
    for each in checksums:
        if not each.whole:
            hasher = each.hasher()
            hasher.update(data)
            if hasher.digest() != each.digest:
                return each.algorithm
    return None


def _entries(headers: Mapping[str, str], name: str, *, whole: bool) -> list[Checksum]:
    values = headers.getall(name, []) if hasattr(headers, "getall") else [headers.get(name, "")]
    checksums = []
    for algorithm, text in _ENTRY.findall(",".join(values)):
        digest, known = _decoded(text), _ALGORITHMS.get(algorithm.lower())
        if digest is not None and known is not None:
            checksums.append(Checksum(known, digest, whole))
    return checksums


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True) or None
    except (ValueError, binascii.Error):
        return None
