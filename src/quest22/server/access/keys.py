"""API keys: the file of their hashes and limits, and looking up a request's key.

A key has 256 random bits, so a fast hash such as SHA-256 is safe. ::

    {"desk": {"sha256": "9f86d0…", "max_live": 4, "audio_s_per_minute": 600.0}}
"""

from __future__ import annotations

import hmac
import json
import logging
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

from quest22.errors import SourceError, UsageError
from quest22.settings.option import check_at_least, check_positive, check_type
from quest22.system.private_files import write_private

_log = logging.getLogger("quest22.server")

PREFIX = "q22_"
"""The prefix of our keys, so that scanners for leaked secrets find them."""

MAX_FILE_BYTES = 4_000_000
MAX_KEY_CHARACTERS = 512

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Key:
    """One key in the file; a limit of None means the server's."""

    sha256: str
    max_live: int | None = None
    audio_s_per_minute: float | None = None
    max_upload_mb: float | None = None
    max_audio_s: float | None = None

    def __post_init__(self) -> None:
        if not _HASH.fullmatch(str(self.sha256)):
            raise UsageError("sha256 is not a hash: expected 64 characters 0-9 and a-f")
        for name, kind in LIMIT_TYPES.items():
            check_type(name, getattr(self, name), kind)
        check_at_least("max_live", self.max_live, 0)
        check_positive("audio_s_per_minute", self.audio_s_per_minute)
        check_positive("max_upload_mb", self.max_upload_mb)
        check_positive("max_audio_s", self.max_audio_s)


LIMIT_TYPES = {
    "max_live": int | None,
    "audio_s_per_minute": float | None,
    "max_upload_mb": float | None,
    "max_audio_s": float | None,
}


def hash_of(key: str) -> str:
    """The hash of a key, as in the file."""
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def read_keys(path: Path) -> dict[str, Key]:
    """Read the keys by name; raises :class:`SourceError` if the file is invalid."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as exc:
        raise SourceError(
            f"the keys in {path} cannot be read: {exc.strerror or exc}; quest22 keys add NAME "
            f"--keys {path} makes the file"
        ) from exc
    try:
        if len(content) > MAX_FILE_BYTES:
            raise UsageError(f"it is larger than {MAX_FILE_BYTES} bytes")
        found = json.loads(content.decode("utf-8"))
        if not isinstance(found, dict):
            raise UsageError("expected a JSON object of names")
        return {name: _key(name, facts) for name, facts in found.items()}
    except (UsageError, ValueError, RecursionError) as exc:
        raise SourceError(f"{path} is not a key file: {exc}; see docs/server.md") from exc


def write_keys(path: Path, keys: Mapping[str, Key]) -> None:
    """Replace the file, readable only by its owner. Raises :class:`SourceError`."""
    facts = {
        name: {field: value for field, value in asdict(key).items() if value is not None}
        for name, key in sorted(keys.items())
    }
    try:
        write_private(path, (json.dumps(facts, indent=2) + "\n").encode())
    except OSError as exc:
        raise SourceError(f"{path} cannot be written: {exc.strerror or exc}") from exc


def new_key(path: Path, name: str, **limits: Any) -> str:
    """Add a key to the file, created if necessary; returns the key, which is stored nowhere.

    Raises :class:`UsageError` for a name that is taken or invalid.
    """
    keys = read_keys(path) if path.exists() else {}
    if name in keys:
        raise UsageError(f"{path} has a key {name} already: remove it first, or choose another")
    text = PREFIX + secrets.token_urlsafe(32)
    write_keys(path, keys | {name: _key(name, {"sha256": hash_of(text), **limits})})
    return text


def remove_key(path: Path, name: str) -> None:
    """Remove a key from the file; raises :class:`UsageError` if it is not there."""
    keys = read_keys(path)
    if keys.pop(name, None) is None:
        raise UsageError(f"{path} has no key {name}: expected {', '.join(keys) or 'none'}")
    write_keys(path, keys)


def _key(name: str, facts: Any) -> Key:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a key's name: expected up to 64 letters, digits, '.', '_' and '-'"
        )
    names = [each.name for each in fields(Key)]
    if not isinstance(facts, dict) or "sha256" not in facts or not facts.keys() <= set(names):
        raise UsageError(f"{name}: expected sha256, and perhaps {', '.join(names[1:])}")
    try:
        return Key(**facts)
    except UsageError as exc:
        raise UsageError(f"{name}: {exc}") from exc


class KeyRing:
    """The currently valid keys: those of a file, reloaded when it changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = _stamp(path)
        self._keys = read_keys(path)

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, key: str) -> tuple[str, Key] | None:
        """The name and the entry of a key; takes the same time for all keys."""
        if len(key) > MAX_KEY_CHARACTERS:
            return None
        hashed = hash_of(key)
        found = None
        for name, each in self._keys.items():
            if hmac.compare_digest(each.sha256, hashed):
                found = name, each
        return found

    def named(self, name: str) -> Key | None:
        """The key of that name; None if there is none."""
        return self._keys.get(name)

    def refresh(self) -> None:
        """Reload the file if it has changed; keeps the old keys if it is invalid."""
        stamp = _stamp(self._path)
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._keys = read_keys(self._path)
                _log.info("%d keys are valid now", len(self._keys))
            except SourceError as exc:
                _log.error("the keys stay as they were: %s", exc)


def _stamp(path: Path) -> tuple[int, ...] | None:
    """A value that changes with the file."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
