"""What a path, pattern or URL given by the user finds: names only, nothing is opened."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from quest22.source.io.address import is_url, redact
from quest22.source.io.error_kinds import reason_of
from quest22.source.io.retry import RetryingClient

AUDIO_SUFFIXES = frozenset(
    {
        ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".alaw", ".amr", ".ape", ".au", ".awb",
        ".caf", ".dts", ".eac3", ".flac", ".g722", ".gsm", ".m4a", ".m4b", ".mka", ".mp1",
        ".mp2", ".mp3", ".mpga", ".mulaw", ".oga", ".ogg", ".opus", ".pcma", ".pcmu", ".ra",
        ".snd", ".sph", ".spx", ".tta", ".ulaw", ".voc", ".w64", ".wav", ".wave", ".weba",
        ".wma", ".wv",
    }
)  # fmt: skip
VIDEO_SUFFIXES = frozenset(
    {
        ".3g2", ".3gp", ".asf", ".avi", ".f4v", ".flv", ".m2ts", ".m4v", ".mkv", ".mov",
        ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".rm", ".rmvb", ".ts", ".vob",
        ".webm", ".wmv",
    }
)  # fmt: skip
MEDIA_SUFFIXES = AUDIO_SUFFIXES | VIDEO_SUFFIXES

_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "hf"})
_NUMBER = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Found:
    """A sound's address and name; ``missing`` says why there is none at the address."""

    given: str
    address: str
    name: str
    missing: str | None = None

    def with_whole_name(self) -> Found:
        """The same with its whole path as its name, made relative."""
        path = urlsplit(self.address).path if is_url(self.address) else self.address
        parts = [part for part in PurePosixPath(path).parts if part not in {"/", "..", "."}]
        return replace(self, name="/".join(parts) or self.name)


def found_by(given: str, token: str | None = None) -> list[Found]:
    """All that one input finds, folders and patterns in natural order; one ``missing`` if none."""
    if given == "-":
        return [Found(given, given, "stdin")]
    if given.lower().startswith("file://"):
        return _on_disk(given, url2pathname(urlsplit(given).path))
    if not is_url(given):
        return _on_disk(given, os.path.expanduser(given))  # noqa: PTH111 -- keeps "./" as given
    if given.partition("://")[0].lower() in _STORES:
        return _in_store(given, token)
    return [Found(given, given, unquote(PurePosixPath(urlsplit(given).path).name) or "audio")]


def natural(path: str) -> list[tuple[int, str, int]]:
    """A sort key under which ``2.wav`` comes before ``10.wav``."""
    parts = _NUMBER.split(path)
    return [(0, "", int(part)) if part.isdigit() else (1, part, 0) for part in parts if part]


def is_media(path: str) -> bool:
    """True for a name that sound or video files have."""
    return PurePosixPath(path).suffix.lower() in MEDIA_SUFFIXES


def _on_disk(given: str, path: str) -> list[Found]:
    if Path(path).is_dir():
        return _many(given, path, sorted(_walk(path), key=natural))
    if Path(path).exists():
        return [Found(given, path, Path(path).name)]
    if glob.has_magic(path):
        matches = sorted(glob.iglob(path, recursive=True), key=natural)  # noqa: PTH207 -- strings
        files = [match for match in matches if Path(match).is_file()]
        return _many(given, _fixed_folder(path), files)
    return [Found(given, path, Path(path).name, f"no such file or folder: {path}")]


def _walk(folder: str) -> Iterator[str]:
    for where, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (
            os.path.join(where, name)  # noqa: PTH118 -- keeps the folder as given
            for name in files
            if is_media(name) and not name.startswith(".")
        )


def _in_store(given: str, token: str | None) -> list[Found]:
    name = PurePosixPath(given).name
    try:
        filesystem, path = RetryingClient(token=token).filesystem_of(given)
        if glob.has_magic(given):
            paths, folder = filesystem.glob(path), _fixed_folder(path)
        elif filesystem.isdir(path):
            paths, folder = filesystem.find(path), path
        elif filesystem.exists(path):
            return [Found(given, given, name)]
        else:
            return [Found(given, given, name, f"no such file or folder: {redact(given)}")]
    except Exception as exc:  # whatever a store's client raises, this input alone is lost
        return [Found(given, given, name, reason_of(exc, redact(given)))]
    scheme = given.partition("://")[0]
    found = _many(given, folder, sorted(filter(is_media, paths), key=natural))
    return [
        one if one.missing else replace(one, address=f"{scheme}://{one.address}") for one in found
    ]


def _many(given: str, folder: str, paths: list[str]) -> list[Found]:
    if not paths:
        reason = f"no audio or video files found: {redact(given)}"
        return [Found(given, given, PurePosixPath(given).name or given, reason)]
    return [Found(given, path, os.path.relpath(path, folder or ".")) for path in paths]


def _fixed_folder(pattern: str) -> str:
    """The part of a pattern before the first folder with a wildcard in it."""
    parts = pattern.split("/")
    fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return "/".join(parts[:fixed])
