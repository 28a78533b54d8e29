"""Checks what patterns of data files stand for.

``datasets`` leaves out in silence what is no file, and patterns without files beside others.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from glob import has_magic, iglob

from quest22.errors import SourceError
from quest22.source.io.address import is_url, redact, without_ip_host
from quest22.source.io.retry import RetryingClient
from quest22.source.local_files import FileKind, kind_of_path
from quest22.source.locate import builder_of


def refuse_gaps(patterns: Sequence[str], files: Sequence[str], client: RetryingClient) -> None:
    """Raise SourceError for a pattern that none of ``files`` matches, or that has unreadable ones.

    ``files`` are those that all ``patterns`` together stand for.
    """
    for pattern in patterns:
        if not has_magic(without_ip_host(pattern)):
            continue
        if is_url(pattern):
            if not _matches_any(pattern, files) and not _remote_files(pattern, client):
                raise _no_match(pattern)
            continue
        local = os.path.abspath(pattern)  # noqa: PTH100 -- Path would change a pattern's ends
        if not _matches_any(local, files):
            raise _no_match(pattern)
        for path in iglob(local, recursive=True):  # noqa: PTH207 -- odd names are no error
            kind, problem = kind_of_path(path)
            if kind not in (FileKind.FILE, FileKind.FOLDER) and builder_of(path) is not None:
                raise SourceError(f"{problem}: put it there, or name the data files one by one")


def _matches_any(pattern: str, files: Sequence[str]) -> bool:
    from fsspec.utils import glob_translate

    matches = re.compile(glob_translate(pattern)).match
    return any(map(matches, files))


def _remote_files(pattern: str, client: RetryingClient) -> bool:
    """Whether a pattern has files that are listed in another spelling."""

    def listed() -> bool:
        filesystem, path = client.filesystem_of(pattern)
        return bool(filesystem.glob(path))

    return client.retry(listed, redact(pattern))


def _no_match(pattern: str) -> SourceError:
    return SourceError(f"no files match {redact(pattern)}")
