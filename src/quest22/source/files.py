"""Files, folders, patterns, URLs and standard input, as clips. Looks at names, never inside.

Each sound's key is its path as given; its name is relative to the folder or pattern it was found
by, so that results of one folder do not collide.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from quest22.env import hub_token
from quest22.errors import ClipError, SourceError
from quest22.metrics import Metrics
from quest22.records import Clip, Failure, Media, Origin
from quest22.source.io.address import is_url, redact
from quest22.source.io.hub_retries import listen
from quest22.source.io.media import media_opener
from quest22.source.io.retry import RetryingClient
from quest22.source.io.spool import spooled
from quest22.source.listing import Found, found_by
from quest22.source.locate import builder_of
from quest22.source.measure import measured

STDIN = "-"


class FilesSource:
    """The sounds that ``inputs`` name, in their order; each once.

    What is not there comes out as a Failure; if nothing is there, SourceError is raised at once.
    ``stdin`` stands in for the process's standard input.
    """

    def __init__(
        self,
        inputs: Sequence[str],
        *,
        metrics: Metrics,
        stdin: BinaryIO | None = None,
        token: str | None = None,
        network: RetryingClient | None = None,
    ) -> None:
        self._metrics = metrics
        self._stdin = stdin
        self._network = network or RetryingClient(metrics=metrics)
        self._network.token = token or hub_token()
        listen(metrics)
        self._found = _once(
            found for given in inputs for found in found_by(given, self._network.token)
        )
        missing = [found.missing for found in self._found if found.missing]
        if len(missing) == len(self._found):
            more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise SourceError(missing[0] + more if missing else "no files were named")

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Clip | Failure]:
        return measured(map(self._result, self._found), self._metrics)

    def _result(self, found: Found) -> Clip | Failure:
        key = redact(found.address)
        origin = Origin(dataset=redact(found.given), file=key)
        try:
            return Clip(key, found.name, self._media(found), origin)
        except ClipError as exc:
            return Failure(key, found.name, exc.stage, exc.reason, origin)

    def _media(self, found: Found) -> Media:
        if found.missing:
            raise ClipError("source", found.missing)
        builder = builder_of(found.address)
        if builder:
            raise ClipError(
                "source", f"{redact(found.address)} is a {builder} dataset: use quest22 stream"
            )
        if found.address == STDIN:
            return self._once(self._stdin or sys.stdin.buffer)
        if is_url(found.address):
            return media_opener(found.address, self._network)
        path = Path(found.address)
        return path if path.is_file() else self._once(path)

    def _once(self, stream: BinaryIO | Path) -> _Once:
        return _Once(stream, self._network.settings.spooled_bytes)


class _Once:
    """Opens what can be read only once: standard input, or a pipe with a name."""

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


def _once(stream: Iterator[Found]) -> list[Found]:
    """Each address once; a name that two addresses share gives way to the whole path."""
    by_address = {found.address: found for found in reversed(list(stream))}
    kept = list(reversed(by_address.values()))
    names: dict[str, int] = {}
    for found in kept:
        names[found.name] = names.get(found.name, 0) + 1
    return [found if names[found.name] == 1 else found.with_whole_name() for found in kept]
