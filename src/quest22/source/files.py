"""Files, folders, glob patterns, URLs and standard input as clips.

A clip's key is its path as given; its name is relative to the folder or pattern that it was found
by, so that results from one folder do not collide.
"""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from copy import copy
from pathlib import Path
from typing import BinaryIO, TypeAlias

from quest22.env import hub_token
from quest22.errors import ClipError, SourceError
from quest22.metrics import Metrics
from quest22.records import Clip, Failure, Media, Origin
from quest22.source.io.address import distinct_names, is_url, redact
from quest22.source.io.error_kinds import reason_of
from quest22.source.io.hub_retries import count_hub_retries
from quest22.source.io.media import measured, media_opener
from quest22.source.io.retry import RetryingClient
from quest22.source.io.spool import spooled
from quest22.source.listing import MediaFile, find_media
from quest22.source.local_files import FileKind, kind_of_path, shortened
from quest22.source.locate import builder_of
from quest22.storable import one_line, storable_text

STDIN = "-"

_log = logging.getLogger(__name__)

FileIdentity: TypeAlias = tuple[str, int | None, int | None]


class FilesSource:
    """The media files that ``inputs`` name, in order, each once.

    A missing file is yielded as a Failure; if all are missing, the constructor raises SourceError.
    ``stdin`` replaces the process's standard input.
    """

    def __init__(
        self,
        inputs: Sequence[str],
        *,
        metrics: Metrics,
        stdin: BinaryIO | None = None,
        token: str | None = None,
        client: RetryingClient | None = None,
    ) -> None:
        self._metrics = metrics
        self._stdin = stdin
        self._client = client or RetryingClient(metrics=metrics)
        self._client.token = token or hub_token()
        count_hub_retries(metrics)
        self._files = _deduplicated(
            file for argument in inputs for file in find_media(argument, self._client.token)
        )
        addresses = [file.address for file in self._files]
        self._shown = dict(zip(addresses, distinct_names(addresses), strict=True))
        missing = [file.missing for file in self._files if file.missing]
        if len(missing) == len(self._files):
            more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise SourceError(missing[0] + more if missing else "no input files given")

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[Clip | Failure]:
        return measured(map(self._result, self._files), self._metrics)

    def identity(self) -> list[FileIdentity] | None:
        """Address, size in bytes and time of change of each file, to recognise a run over them.

        Size and time are unknown for URLs, whose addresses may hold secrets, and missing files.
        None if a file can be read only once.
        """
        known: list[FileIdentity] = []
        for file in self._files:
            address, path = storable_text(file.address), Path(file.address)
            if is_url(file.address) or file.missing:
                known.append((address, None, None))
            elif kind_of_path(path)[0] is FileKind.FILE:
                found = path.stat()
                whole = storable_text(str(path.resolve()))
                known.append((whole, found.st_size, found.st_mtime_ns))
            else:
                return None
        return known

    def without(self, left_out: Collection[int]) -> FilesSource:
        """The same source without the files of these numbers."""
        rest = copy(self)
        rest._files = [file for at, file in enumerate(self._files) if at not in left_out]
        return rest

    def names(self) -> list[tuple[str, str]]:
        """The key and the name of each file's clip, in order."""
        return [
            (storable_text(self._shown[file.address]), storable_text(file.name))
            for file in self._files
        ]

    def _result(self, file: MediaFile) -> Clip | Failure:
        key, name = storable_text(self._shown[file.address]), storable_text(file.name)
        origin = Origin(dataset=storable_text(redact(file.argument)), file=key)
        try:
            return Clip(key, name, self._media(file), origin)
        except ClipError as exc:
            return Failure(key, name, exc.stage, one_line(exc.reason), origin)
        except Exception as exc:  # whatever is odd about a file is its own trouble
            _log.debug("file %s", key, exc_info=True)
            reason = one_line(reason_of(exc, redact(shortened(file.address))))
            return Failure(key, name, "source", reason, origin)

    def _media(self, file: MediaFile) -> Media:
        if file.missing:
            raise ClipError("source", file.missing)
        builder = builder_of(file.address)
        if builder:
            raise ClipError(
                "source", f"{redact(file.address)} is a {builder} dataset: use quest22 stream"
            )
        if file.address == STDIN:
            return self._single_pass(self._stdin or sys.stdin.buffer)
        if is_url(file.address):
            return media_opener(file.address, self._client)
        path = Path(file.address)
        kind, problem = kind_of_path(path)
        if kind is FileKind.PIPE:
            return self._single_pass(path)
        if problem:
            raise ClipError("source", problem)
        return path

    def _single_pass(self, stream: BinaryIO | Path) -> _SinglePassStream:
        return _SinglePassStream(stream, self._client.settings.spooled_bytes)


class _SinglePassStream:
    """Opens what can be read only once: standard input or a named pipe."""

    def __init__(self, stream: BinaryIO | Path, memory_bytes: int) -> None:
        self._stream: BinaryIO | Path | None = stream
        self._memory_bytes = memory_bytes

    def __call__(self) -> BinaryIO:
        stream, self._stream = self._stream, None
        if stream is None:
            raise ClipError("source", "standard input or a pipe can be read only once")
        if isinstance(stream, Path):
            with stream.open("rb") as pipe:
                return spooled(pipe, str(stream), self._memory_bytes)
        if stream.seekable():
            return stream
        return spooled(stream, "standard input", self._memory_bytes)


def _deduplicated(files: Iterator[MediaFile]) -> list[MediaFile]:
    """Each file once; a name shared by several addresses is replaced by the full path."""
    by_address = {_identity(file.address): file for file in reversed(list(files))}
    unique = list(reversed(by_address.values()))
    uses = Counter(file.name for file in unique)
    return [file if uses[file.name] == 1 else file.with_full_path_as_name() for file in unique]


def _identity(address: str) -> str:
    """What two ways to write the path of a file share: ``./talk.wav`` is ``talk.wav``."""
    return address if is_url(address) or address == STDIN else str(Path(address))
