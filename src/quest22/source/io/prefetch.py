"""Prefetches byte ranges in the order in which they will be read, within a memory budget."""

from __future__ import annotations

import heapq
import io
import threading
from bisect import bisect_right, insort
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from itertools import islice
from operator import attrgetter
from typing import Any, TypeAlias

from quest22.source.io.ranges import RangeReader

PIECE_BYTES = 2 << 20
"""The longest range fetched at once when a read was not planned."""
PLANNED_BLOCKS = 1024
"""How many ranges of a file are planned at a time: a server may claim any number of bytes."""

Span: TypeAlias = tuple[int, int]
"""A byte range: from the first offset up to but not including the second."""


class _State(Enum):
    PLANNED = "planned"
    FETCHING = "fetching"
    READY = "ready"
    RELEASED = "released"


class _Block:
    """One planned range. Its fields are guarded by the lock of :class:`Prefetcher`."""

    def __init__(self, reader: RangeReader, span: Span) -> None:
        self.reader = reader
        self.start, self.stop = span
        self.state = _State.PLANNED
        self.data = b""
        self.error: BaseException | None = None
        self.dropped = False

    @property
    def size(self) -> int:
        return self.stop - self.start


class Prefetcher:
    """Fetches planned ranges with a few threads, never buffering more than its budget.

    A range that is read before its fetch has started is fetched by the reading thread, whatever
    the budget: so no order of reading can deadlock.
    """

    def __init__(self, budget_bytes: int, threads: int) -> None:
        self._budget_bytes = budget_bytes
        self._count = threads
        self._condition = threading.Condition()
        self._planned: deque[_Block] = deque()
        self._buffered_bytes = 0
        self._threads: list[threading.Thread] = []
        self._closed = False

    @property
    def buffered_bytes(self) -> int:
        """Bytes that are fetched or being fetched."""
        return self._buffered_bytes

    def plan(self, reader: RangeReader, spans: Iterable[Span]) -> list[_Block]:
        """Fetch these ranges after all those planned before."""
        blocks = [_Block(reader, span) for span in spans]
        with self._condition:
            self._planned.extend(blocks)
            if not self._threads and self._count and blocks:
                self._threads = [
                    threading.Thread(target=self._work, name=f"quest22-fetch-{n}", daemon=True)
                    for n in range(self._count)
                ]
                for thread in self._threads:
                    thread.start()
            self._condition.notify_all()
        return blocks

    def take(self, block: _Block) -> bytes:
        """Wait for a block and return its bytes; raises what fetching it raised."""
        with self._condition:
            if block.state is _State.PLANNED:
                self._mark_fetching(block)
                fetch_here = True
            else:
                fetch_here = False
        if fetch_here:
            self._fetch(block)
        with self._condition, block.reader.network_wait():
            self._condition.wait_for(lambda: block.state is not _State.FETCHING)
            if block.error is not None:
                raise block.error
            return block.data

    def drop(self, blocks: Iterable[_Block]) -> None:
        """Release blocks and their share of the budget."""
        with self._condition:
            for block in blocks:
                block.dropped = True
                self._release_if_dropped(block)
            self._condition.notify_all()

    def close(self) -> None:
        """Stop fetching."""
        with self._condition:
            self._closed = True
            self._planned.clear()
            self._condition.notify_all()

    def _work(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._closed or self._fits())
                if self._closed:
                    return
                block = self._planned.popleft()
                if block.state is not _State.PLANNED:
                    continue
                self._mark_fetching(block)
            self._fetch(block)

    def _fits(self) -> bool:
        while self._planned and self._planned[0].state is not _State.PLANNED:
            self._planned.popleft()
        return (
            bool(self._planned)
            and self._buffered_bytes + self._planned[0].size <= self._budget_bytes
        )

    def _mark_fetching(self, block: _Block) -> None:
        block.state = _State.FETCHING
        self._buffered_bytes += block.size

    def _fetch(self, block: _Block) -> None:
        try:
            data, error = block.reader.fetch(block.start, block.stop), None
        except BaseException as exc:
            data, error = b"", exc
        with self._condition:
            block.data, block.error, block.state = data, error, _State.READY
            self._release_if_dropped(block)
            self._condition.notify_all()

    def _release_if_dropped(self, block: _Block) -> None:
        if not block.dropped or block.state is _State.FETCHING:
            return
        self._buffered_bytes -= block.size if block.state is _State.READY else 0
        block.state, block.data, block.error = _State.RELEASED, b"", None


class PrefetchedFile(io.RawIOBase):
    """A seekable file whose planned ranges are prefetched; others are fetched when read.

    A block is released when its last byte has been read. Not thread-safe. Raises the errors of
    :class:`quest22.source.io.ranges.RangeReader`.
    """

    def __init__(self, reader: RangeReader, prefetcher: Prefetcher | None = None) -> None:
        super().__init__()
        self.name = reader.name
        self._reader = reader
        self._prefetcher = (
            prefetcher if prefetcher is not None and reader.remote else Prefetcher(0, 0)
        )
        self._planning = reader.remote and prefetcher is not None
        self._spans: Iterator[Span] = iter(())
        self._blocks: list[_Block] = []
        self._position = 0

    def plan(self, spans: Iterable[Span]) -> None:
        """Prefetch these ranges in this order, in place of those planned before."""
        self._prefetcher.drop(self._blocks)
        self._blocks = []
        self._spans = iter(spans if self._planning else ())
        self._plan_more()

    def _plan_more(self) -> None:
        """Plan the next ranges in place of blocks that are read."""
        spans = list(islice(self._spans, PLANNED_BLOCKS - len(self._blocks)))
        for block in self._prefetcher.plan(self._reader, spans):
            insort(self._blocks, block, key=_START)

    def read(self, size: int | None = -1, /) -> bytes:
        """As the base class, without a second copy: a page may be hundreds of MB."""
        left = max(0, self._reader.size - self._position)
        data = io.BytesIO()
        for piece in self._pieces(left if size is None or size < 0 else min(size, left)):
            data.write(piece)
        return data.getvalue()  # which copies nothing

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer).cast("B")
        filled = 0
        for piece in self._pieces(min(len(view), max(0, self._reader.size - self._position))):
            view[filled : filled + len(piece)] = piece
            filled += len(piece)
        return filled

    def _pieces(self, size: int) -> Iterator[memoryview | bytes]:
        """The next bytes, block by block; moves the position."""
        stop = self._position + size
        while self._position < stop:
            piece = self._piece(self._position, stop)
            self._position += len(piece)
            yield piece

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._reader.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        if not self.closed:
            self._prefetcher.drop(self._blocks)
            self._blocks, self._spans = [], iter(())
            self._reader.close()
        super().close()

    def _piece(self, start: int, stop: int) -> memoryview | bytes:
        """Some bytes from ``start`` on: those in one block, or all up to the next planned block."""
        number = bisect_right(self._blocks, start, key=_START) - 1
        block = self._blocks[number] if number >= 0 else None
        if block is None or start >= block.stop:
            following = [block.start for block in self._blocks[number + 1 : number + 2]]
            return self._reader.fetch(start, min([stop, start + PIECE_BYTES, *following]))
        data = self._prefetcher.take(block)
        piece = memoryview(data)[start - block.start : stop - block.start]
        if stop >= block.stop:
            self._prefetcher.drop([block])
            del self._blocks[number]
            self._plan_more()
        return piece


_START = attrgetter("start")


def split_spans(spans: Iterable[Span], max_bytes: int) -> Iterator[Span]:
    """Ranges split into pieces of at most ``max_bytes``, in order."""
    for start, stop in spans:
        for at in range(start, stop, max_bytes):
            yield at, min(at + max_bytes, stop)


def interleaved_spans(spans: Sequence[Span], max_bytes: int) -> Iterator[Span]:
    """The same for columns that are read in step: pieces ordered by relative position."""

    def positioned(number: int, start: int, stop: int) -> Iterator[tuple[float, int, Span]]:
        for piece in split_spans([(start, stop)], max_bytes):
            yield (piece[0] - start) / (stop - start), number, piece

    columns = (positioned(number, *span) for number, span in enumerate(spans))
    return (piece for _, _, piece in heapq.merge(*columns))
