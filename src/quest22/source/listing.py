"""Finds media files by path, folder, glob pattern or URL. Looks at names only, opens nothing."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePath, PurePosixPath
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from quest22.source.io.address import is_url, redact
from quest22.source.io.error_kinds import reason_of
from quest22.source.io.retry import RetryingClient
from quest22.system import WINDOWS

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
class MediaFile:
    """A media file found for an input argument; ``missing`` says why it could not be found."""

    argument: str
    address: str
    name: str
    missing: str | None = None

    def with_full_path_as_name(self) -> MediaFile:
        """The same with its whole path, made relative, as its name."""
        if is_url(self.address):
            path: PurePath = PurePosixPath(urlsplit(self.address).path)
        else:
            path = PurePath(self.address)
        parts = [part for part in path.parts if part not in {path.anchor, "..", "."}]
        return replace(self, name="/".join(parts) or self.name)


def find_media(argument: str, token: str | None = None) -> list[MediaFile]:
    """The media files for one input, in natural order; one ``missing`` if there is none."""
    if argument == "-":
        return [MediaFile(argument, argument, "stdin")]
    if argument.lower().startswith("file://"):
        return _find_on_disk(argument, url2pathname(urlsplit(argument).path))
    if not is_url(argument):
        return _find_on_disk(argument, os.path.expanduser(argument))  # noqa: PTH111 -- keeps a leading "./"
    if argument.partition("://")[0].lower() in _STORES:
        return _find_in_store(argument, token)
    return [
        MediaFile(
            argument, argument, unquote(PurePosixPath(urlsplit(argument).path).name) or "audio"
        )
    ]


def natural_sort_key(path: str) -> list[tuple[int, str, int]]:
    """A sort key under which ``2.wav`` comes before ``10.wav``."""
    parts = _NUMBER.split(path)
    return [(0, "", int(part)) if part.isdigit() else (1, part, 0) for part in parts if part]


def is_media(path: str) -> bool:
    """True for file names with the suffix of an audio or video format."""
    return PurePosixPath(path).suffix.lower() in MEDIA_SUFFIXES


def _find_on_disk(argument: str, path: str) -> list[MediaFile]:
    if Path(path).is_dir():
        return _media_files(argument, path, sorted(_walk(path), key=natural_sort_key))
    if Path(path).exists():
        return [MediaFile(argument, path, Path(path).name)]
    if glob.has_magic(path):
        matches = sorted(glob.iglob(path, recursive=True), key=natural_sort_key)  # noqa: PTH207 -- strings
        files = [match for match in matches if Path(match).is_file()]
        return _media_files(argument, _folder_before_wildcards(path), files)
    return [MediaFile(argument, path, Path(path).name, f"no such file or folder: {path}")]


def _walk(folder: str) -> Iterator[str]:
    for where, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (
            os.path.join(where, name)  # noqa: PTH118 -- keeps a leading "./"
            for name in files
            if is_media(name) and not name.startswith(".")
        )


def _find_in_store(argument: str, token: str | None) -> list[MediaFile]:
    name = PurePosixPath(argument).name
    try:
        filesystem, path = RetryingClient(token=token).filesystem_of(argument)
        if glob.has_magic(argument):
            paths, folder = filesystem.glob(path), _folder_before_wildcards(path)
        elif filesystem.isdir(path):
            paths, folder = filesystem.find(path), path
        elif filesystem.exists(path):
            return [MediaFile(argument, argument, name)]
        else:
            return [
                MediaFile(argument, argument, name, f"no such file or folder: {redact(argument)}")
            ]
    except Exception as exc:  # an error of the store's client fails this input only
        return [MediaFile(argument, argument, name, reason_of(exc, redact(argument)))]
    scheme = argument.partition("://")[0]
    files = _media_files(argument, folder, sorted(filter(is_media, paths), key=natural_sort_key))
    return [
        file if file.missing else replace(file, address=f"{scheme}://{file.address}")
        for file in files
    ]


def _media_files(argument: str, folder: str, paths: list[str]) -> list[MediaFile]:
    if not paths:
        reason = f"no audio or video files found: {redact(argument)}"
        return [MediaFile(argument, argument, PurePosixPath(argument).name or argument, reason)]
    names = (os.path.relpath(path, folder or ".").replace(os.sep, "/") for path in paths)
    return [MediaFile(argument, path, name) for path, name in zip(paths, names, strict=True)]


def _folder_before_wildcards(pattern: str) -> str:
    """The part of a pattern before its first component with a wildcard."""
    separators = r"[/\\]" if WINDOWS and not is_url(pattern) else "/"
    parts = re.split(separators, pattern)
    fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return "/".join(parts[:fixed])
