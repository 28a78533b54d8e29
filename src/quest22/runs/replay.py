"""The batches of clips that are not published yet, on disk, one batch per line.

A batch is written before its results are yielded. A run that dies therefore computes no batch
twice, and a resumed run builds the same batches as one that was never interrupted (see
``quest22.runtime.ordered``). Published batches are dropped: the file holds little more than the
tokens of the open clips. Reading stops at the first line that a power failure damaged.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from quest22.records import ReplayedBatch
from quest22.sink.files import AppendedFile, writing
from quest22.system.atomic_files import write_atomically

REPLAY = "replay.jsonl"
SYNC_SECONDS = 2.0
SLACK_BYTES = 1 << 20
"""The file is rewritten when it holds this much dropped data."""

ClipBatch = tuple[int, str, ReplayedBatch]
"""A clip's number and key, and its part in a batch."""


class ReplayLog:
    """A ReplayStore in a file; the first ``published`` results are dropped already."""

    def __init__(
        self, path: Path, published: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._clock = clock
        self._synced_at = clock()
        self._lines: deque[tuple[int, str]] = deque()  # with the last clip that needs each
        self._batches: defaultdict[int, list[tuple[str, ReplayedBatch]]] = defaultdict(list)
        size = 0
        for line, clips in _read(path):
            size += len(line)
            self._lines.append((max(number for number, _, _ in clips), line))
            for number, key, batch in clips:
                self._batches[number].append((key, batch))
        self._size = size
        self._file = AppendedFile(path, size)
        last = max(self._batches, default=-1)
        self.clips = range(published, max(published, last + 1))
        self.forget(published)

    def recall(self, number: int, key: str) -> Sequence[ReplayedBatch]:
        """The batches of a clip; none if another clip has its number now."""
        batches = self._batches.pop(number, [])
        return [batch for clip_key, batch in batches if clip_key == key]

    def note(self, batch: Sequence[ClipBatch]) -> None:
        """Store a batch; on return it survives the process, but not yet a power failure."""
        clips = [[number, key, asdict(part)] for number, key, part in batch]
        line = json.dumps(clips, default=_plain) + "\n"
        self._file.write(line)
        self._lines.append((max(number for number, _, _ in batch), line))
        self._size += len(line)
        if self._clock() - self._synced_at >= SYNC_SECONDS:
            self.sync()

    def sync(self) -> None:
        """Make it survive a power failure too; call this before results are recorded."""
        if self._size:
            self._file.publish()
        self._synced_at = self._clock()

    def forget(self, published: int) -> None:
        """Drop the batches of this many results, which are published and recorded."""
        while self._lines and self._lines[0][0] < published:
            self._lines.popleft()
        live = sum(len(line) for _, line in self._lines)
        if self._size > SLACK_BYTES + 4 * live:
            self._rewrite()

    def close(self) -> None:
        """Close the file, which stays on disk."""
        if self._size:
            self._file.close()
        self._size = 0

    def _rewrite(self) -> None:
        self._file.close()
        content = "".join(line for _, line in self._lines).encode("ascii")
        with writing(self._path):
            write_atomically(self._path, content, durable=True, private=True)
        self._size = len(content)
        self._file = AppendedFile(self._path, self._size)


def _read(path: Path) -> Iterator[tuple[str, list[ClipBatch]]]:
    """The undamaged lines of a log, and the batches in them."""
    if not path.exists():
        return
    with writing(path), path.open("rb") as file:
        for line in file:
            try:
                clips = [
                    (int(number), str(key), restored(ReplayedBatch, _as_today(batch)))
                    for number, key, batch in json.loads(line)
                ]
                text = line.decode("ascii")
            except (ValueError, TypeError, KeyError):
                return
            if not clips or not text.endswith("\n"):
                return
            yield text, clips


def _as_today(batch: dict[str, Any]) -> dict[str, Any]:
    """A batch as older versions wrote it, in today's form: results were called answers."""
    return batch if "results" in batch else {"results": batch["answers"], **batch}


def restored(kind: Any, value: Any) -> Any:
    """Convert a JSON value back to its type: dataclasses, tuples, numbers, text or None."""
    kinds = get_args(kind)
    if get_origin(kind) in (Union, UnionType):
        known = next(each for each in kinds if each is not NoneType)
        return None if value is None else restored(known, value)
    if get_origin(kind) is tuple:
        if kinds[1:] == (...,):
            return tuple(restored(kinds[0], each) for each in value)
        return tuple(restored(*pair) for pair in zip(kinds, value, strict=True))
    if isinstance(value, Mapping):
        known = ((name, each) for name, each in _types(kind) if name in value)
        return kind(**{name: restored(each, value[name]) for name, each in known})
    return value


@cache
def _types(kind: Any) -> tuple[tuple[str, Any], ...]:
    """The fields of a dataclass, by name."""
    return tuple(get_type_hints(kind).items())


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's, bit for bit."""
    return value.item()
