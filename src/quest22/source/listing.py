"""Finds media files by path, folder, glob pattern or URL. Looks at names only, opens nothing."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import PurePath, PurePosixPath
from typing import TypeAlias
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from quest22.source.braces import expanded
from quest22.source.io.address import is_url, redact
from quest22.source.io.error_kinds import reason_of
from quest22.source.io.retry import RetryingClient
from quest22.source.local_files import FileKind, exists, kind_of_path, shortened
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
FoundFile: TypeAlias = tuple[str, str | None]
"""A path, and why it cannot be read."""

_NUMBER = re.compile(r"(\d{1,1000})")  # Python reads numbers of 4,300 digits at most


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
            behind_host = self.address.partition("://")[2].partition("/")[2]
            path: PurePath = PurePosixPath(re.split("[?#]", behind_host)[0])
        else:
            path = PurePath(self.address)
        parts = [part for part in path.parts if part not in {path.anchor, "..", "."}]
        return replace(self, name="/".join(parts) or self.name)


def find_media(argument: str, token: str | None = None) -> list[MediaFile]:
    """The media files for one input, in natural order; one ``missing`` if there is none."""
    if argument == "-":
        return [MediaFile(argument, argument, "stdin")]
    names = [argument] if exists(argument) else expanded(argument)
    if len(names) > 1:
        return [replace(file, argument=argument) for name in names for file in _find(name, token)]
    return _find(argument, token)


def _find(argument: str, token: str | None) -> list[MediaFile]:
    if argument.lower().startswith("file://"):
        return _find_on_disk(argument, url2pathname(urlsplit(argument).path))
    if not is_url(argument):
        return _find_on_disk(argument, os.path.expanduser(argument))  # noqa: PTH111 -- keeps a leading "./"
    if argument.partition("://")[0].lower() in _STORES:
        return _find_in_store(argument, token)
    try:
        name = unquote(PurePosixPath(urlsplit(argument).path).name) or "audio"
    except ValueError as exc:
        shown = shortened(redact(argument))
        return [MediaFile(argument, argument, "audio", f"it is no address: {shown}: {exc}")]
    return [MediaFile(argument, argument, name)]


def natural_sort_key(path: str) -> list[tuple[int, str, int]]:
    """A sort key under which ``2.wav`` comes before ``10.wav``."""
    parts = _NUMBER.split(path)  # every second one is a number
    return [
        (0, "", int(part)) if number % 2 else (1, part, 0)
        for number, part in enumerate(parts)
        if part
    ]


def is_media(path: str) -> bool:
    """True for file names with the suffix of an audio or video format."""
    return PurePosixPath(path).suffix.lower() in MEDIA_SUFFIXES


def _find_on_disk(argument: str, path: str) -> list[MediaFile]:
    kind, problem = kind_of_path(path)
    if kind is FileKind.FOLDER:
        return _media_files(argument, path, walk_media(path))
    if kind in {FileKind.FILE, FileKind.PIPE}:
        return [MediaFile(argument, path, PurePath(path).name)]
    if kind is FileKind.NOTHING and glob.has_magic(path):
        found = sorted(_matches(path), key=lambda file: natural_sort_key(file[0]))
        return _media_files(argument, _folder_before_wildcards(path), found)
    if kind is FileKind.NOTHING:
        problem = problem.replace("no such file:", "no such file or folder:")
    return [MediaFile(argument, path, PurePath(path).name or path, problem)]


def walk_media(folder: str) -> list[FoundFile]:
    """The media files below a folder in natural order."""
    found = [file for file in walk(folder) if is_media(file[0]) or file[1]]
    return sorted(found, key=lambda file: natural_sort_key(file[0]))


def walk(folder: str) -> Iterator[FoundFile]:
    """All files below a folder but hidden ones, and the folders that cannot be listed.

    Links are followed; each folder is visited once, so no loop of links is endless.
    """
    folders, visited = [folder], set()
    while folders:
        where = folders.pop()
        try:
            identity = os.stat(where)  # noqa: PTH116 -- keeps a leading "./"
            if (identity.st_dev, identity.st_ino) in visited:
                continue
            visited.add((identity.st_dev, identity.st_ino))
            names = sorted(os.listdir(where), key=natural_sort_key, reverse=True)  # noqa: PTH208
        except OSError as exc:
            yield where, f"the folder cannot be read: {exc.strerror}: {shortened(where)}"
            continue
        for name in names:
            path = os.path.join(where, name)  # noqa: PTH118 -- keeps a leading "./"
            if name.startswith("."):
                continue
            kind, problem = kind_of_path(path)
            if kind is FileKind.FOLDER:
                folders.append(path)
            elif is_media(name) or not problem:
                yield path, problem or None


def _matches(pattern: str) -> Iterator[FoundFile]:
    """The files that match a pattern; :mod:`glob` would follow loops of links in ``**``."""
    before, recursive, after = _split_at_recursion(pattern)
    for path in glob.iglob(before) if before else [""]:  # noqa: PTH207 -- strings
        kind, problem = kind_of_path(path or ".")
        if not recursive and kind is not FileKind.FOLDER:
            yield path, problem or None
        elif recursive and kind is FileKind.FOLDER:
            for found, why in walk(path or "."):
                parts = os.path.relpath(found, path or ".").split(os.sep)  # noqa: PTH206 -- as above
                if why is not None or _matches_parts(parts, after):
                    yield (found if path else os.path.normpath(found)), why


def _split_at_recursion(pattern: str) -> tuple[str, bool, list[str]]:
    """A pattern's part before its first ``**``, whether there is one, and the parts from it on."""
    parts = re.split(_separators(pattern), pattern)
    if "**" not in parts:
        return pattern, False, []
    at = parts.index("**")
    return "/".join(parts[:at]) or ("/" if at else ""), True, parts[at:]


def _matches_parts(parts: list[str], patterns: list[str]) -> bool:
    if not patterns:
        return not parts
    if patterns[0] == "**":
        rest = patterns[1:] or ["*"]
        return any(_matches_parts(parts[at:], rest) for at in range(len(parts)))
    return (
        bool(parts) and fnmatch(parts[0], patterns[0]) and _matches_parts(parts[1:], patterns[1:])
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
    found = sorted(filter(is_media, paths), key=natural_sort_key)
    files = _media_files(argument, folder, [(path, None) for path in found])
    return [
        file if file.missing else replace(file, address=f"{scheme}://{file.address}")
        for file in files
    ]


def _media_files(argument: str, folder: str, found: list[FoundFile]) -> list[MediaFile]:
    if not found:
        reason = f"no audio or video files found: {redact(argument)}"
        return [MediaFile(argument, argument, PurePosixPath(argument).name or argument, reason)]
    return [
        MediaFile(
            argument, path, os.path.relpath(path, folder or ".").replace(os.sep, "/"), problem
        )
        for path, problem in found
    ]


def name_below(file: str, argument: str) -> str:
    """A found file's path below the folder or pattern that found it; else its name alone."""
    if file == argument:
        return PurePath(file).name
    folder = os.path.expanduser(argument)  # noqa: PTH111 -- as in find_media
    if glob.has_magic(folder) and not os.path.isdir(folder):  # noqa: PTH112 -- odd names are no error
        folder = _folder_before_wildcards(folder)
    name = os.path.relpath(file, folder or ".").replace(os.sep, "/")
    return PurePath(file).name if name.startswith("..") else name


def _folder_before_wildcards(pattern: str) -> str:
    """The part of a pattern before its first component with a wildcard."""
    parts = re.split(_separators(pattern), pattern)
    fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return "/".join(parts[:fixed])


def _separators(pattern: str) -> str:
    return r"[/\\]" if WINDOWS and not is_url(pattern) else "/"
