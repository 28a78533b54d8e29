"""The worker's side of a live measurement: sound comes in as it is spoken, updates go out as lines.

A worker is started with a job, one line of JSON; it loads its program and answers with what it is.
Then it gets frames: session (u16), bytes (u32), and so many bytes of 16-bit samples at 16 kHz; none
at the end of the session's sound. For each update of a session's text it writes one line of JSON,
and one more when all text of an ended session is out.

Uses nothing but Python's own library, because other programs run in environments of their own.
"""

from __future__ import annotations

import json
import os
import re
import struct
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, BinaryIO, Protocol

FRAME = struct.Struct("<HI")
"""Before each block of samples: its session, and how many bytes follow."""

Job = dict[str, Any]
"""``model``, ``language``, ``threads``, ``policy``, ``files`` and what else a program is told."""


class LiveSession(Protocol):
    """One speaker, seen from the program."""

    def feed(self, pcm: bytes) -> None:
        """More sound; returns at once."""

    def end(self) -> None:
        """No more sound; returns at once. When all text is out, the program says so."""


class Updates:
    """What a session of a program shows, written as lines."""

    def __init__(self, write: Callable[[str], None], session: int) -> None:
        self._write = write
        self._session = session
        self._committed: list[str] = []
        self._tail: list[str] = []

    def update(
        self,
        segment: int,
        kept: int,
        committed: Sequence[str],
        tail: Sequence[str],
        *,
        final: bool = False,
    ) -> None:
        """Of the segment's committed words ``kept`` stay; ``committed`` follow, then the tail."""
        self._line(segment=segment, kept=kept, committed=committed, tail=tail, final=final)

    def show(self, committed: str, tail: str) -> None:
        """For programs without segments: all committed text so far, and what may change."""
        words, rest = committed.split(), tail.split()
        kept = same_words(self._committed, words)
        if kept == len(self._committed) == len(words) and rest == self._tail:
            return
        self._committed, self._tail = words, rest
        self.update(0, kept, words[kept:], rest)

    def ended(self) -> None:
        """All text of the session is out."""
        self._line(ended=True)

    def _line(self, **values: Any) -> None:
        self._write(json.dumps({"session": self._session, **values}))


OpenSession = Callable[[Updates], LiveSession]


def same_words(before: Sequence[str], now: Sequence[str]) -> int:
    """How many words two texts have in common from the beginning, but for case and punctuation."""
    for number, (one, other) in enumerate(zip_longest(before, now)):
        if one is None or other is None or _letters(one) != _letters(other):
            return number
    return len(before)


def _letters(word: str) -> str:
    return re.sub(r"\W", "", word.lower())


def serve(load: Callable[[Job], tuple[str, OpenSession]]) -> None:
    """Serve the process that started this one until it closes the pipe.

    ``load`` returns a description of the program (version, precision) and opens sessions. Whatever
    libraries print goes to standard error.
    """
    lines = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1, encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    lock = threading.Lock()

    def write(line: str) -> None:
        with lock:
            lines.write(line + "\n")

    source = sys.stdin.buffer
    about, open_session = load(json.loads(source.readline()))
    write(json.dumps({"about": about}))
    sessions: dict[int, LiveSession] = {}
    for number, pcm in frames(source):
        if number not in sessions:
            sessions[number] = open_session(Updates(write, number))
        if pcm:
            sessions[number].feed(pcm)
        else:
            sessions[number].end()
    lines.flush()
    os._exit(0)  # threads of a library must not hold the process


def frames(source: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The frames of a pipe until it is closed."""
    while len(head := source.read(FRAME.size)) == FRAME.size:
        number, size = FRAME.unpack(head)
        yield number, source.read(size)
