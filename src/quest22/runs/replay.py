"""The batches of clips that are not published yet, on disk: a line a batch.

A batch is written before its results leave. So a run that dies computes no batch twice, and one
that continues builds the same batches as one that was never disturbed (see
``quest22.runtime.ordered``). What is published is forgotten: the file holds little more than the
tokens of the clips that are open. A line that a dying machine spoilt is the end of it.
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
from quest22.system.durable_files import replace_file

REPLAY = "replay.jsonl"
SYNC_SECONDS = 2.0
SLACK_BYTES = 1 << 20
"""As much that is forgotten may lie in the file before it is rewritten."""

ClipBatch = tuple[int, str, ReplayedBatch]
"""A clip's number and key, and its part in a batch."""


class ReplayLog:
    """A ReplayStore in a file; ``published`` results are forgotten already."""

    def __init__(
        self, path: Path, published: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._clock = clock
        self._synced_at = clock()
        self._lines: deque[tuple[int, str]] = deque()  # the last clip of each, as they are needed
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
        """The batches of a clip; none where another clip has its number now."""
        batches = self._batches.pop(number, [])
        return [batch for clip_key, batch in batches if clip_key == key]

    def note(self, batch: Sequence[ClipBatch]) -> None:
        """Keep a batch; when this returns, it outlives the process, if not yet the machine."""
        clips = [[number, key, asdict(part)] for number, key, part in batch]
        line = json.dumps(clips, default=_plain) + "\n"
        self._file.write(line)
        self._lines.append((max(number for number, _, _ in batch), line))
        self._size += len(line)
        if self._clock() - self._synced_at >= SYNC_SECONDS:
            self.sync()

    def sync(self) -> None:
        """Make it outlive the machine too: to be called before results are recorded."""
        if self._size:
            self._file.publish()
        self._synced_at = self._clock()

    def forget(self, published: int) -> None:
        """So many results are published and recorded: their batches are needed no longer."""
        while self._lines and self._lines[0][0] < published:
            self._lines.popleft()
        live = sum(len(line) for _, line in self._lines)
        if self._size > SLACK_BYTES + 4 * live:
            self._rewrite()

    def close(self) -> None:
        """No more batches come; the file stays."""
        if self._size:
            self._file.close()
        self._size = 0

    def _rewrite(self) -> None:
        self._file.close()
        content = "".join(line for _, line in self._lines).encode("ascii")
        with writing(self._path):
            replace_file(self._path, content, durable=True)
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
    """A batch that an older version wrote: its results were called answers."""
    return batch if "results" in batch else {"results": batch["answers"], **batch}


def restored(kind: Any, value: Any) -> Any:
    """A value of JSON as what it was made of: dataclasses, tuples, numbers, text or nothing."""
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
    """NumPy's numbers as Python's: the same to the last bit."""
    return value.item()
