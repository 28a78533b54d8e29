"""Bytes fetched ahead of their reader, in the order they will be wanted, within a budget.

Knows ranges of files and nothing of what is in them.
"""

from __future__ import annotations

import io
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Any, TypeAlias

from quest22.source.io.ranges import RangeReader

PIECE_BYTES = 2 << 20
"""The longest range that is fetched when it is read, not planned: what is taken apart at once."""

Span: TypeAlias = tuple[int, int]
"""Bytes of a file: from the first up to, not including, the second."""


class _State(Enum):
    PLANNED = "planned"
    COMING = "coming"
    HERE = "here"
    GONE = "gone"


class _Block:
    """One range on its way. Its fields belong to the lock of :class:`Prefetcher`."""

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
    """Fetches planned ranges with a few threads, never holding more than its budget.

    What is wanted and not yet under way is fetched by whoever wants it, budget or not: so no order
    of reading can lock up.
    """

    def __init__(self, budget_bytes: int, threads: int) -> None:
        self._budget = budget_bytes
        self._count = threads
        self._changed = threading.Condition()
        self._planned: deque[_Block] = deque()
        self._held = 0
        self._threads: list[threading.Thread] = []
        self._closed = False

    @property
    def held_bytes(self) -> int:
        """Bytes that are here or on their way."""
        return self._held

    def plan(self, reader: RangeReader, spans: Iterable[Span]) -> list[_Block]:
        """Fetch these ranges after all that were planned before."""
        blocks = [_Block(reader, span) for span in spans]
        with self._changed:
            self._planned.extend(blocks)
            if not self._threads and self._count and blocks:
                self._threads = [
                    threading.Thread(target=self._work, name=f"quest22-fetch-{n}", daemon=True)
                    for n in range(self._count)
                ]
                for thread in self._threads:
                    thread.start()
            self._changed.notify_all()
        return blocks

    def take(self, block: _Block) -> bytes:
        """The bytes of a block, waiting for them; raises what fetching them raised."""
        with self._changed:
            if block.state is _State.PLANNED:
                self._begin(block)
                mine = True
            else:
                mine = False
        if mine:
            self._fetch(block)
        with self._changed, block.reader.awaited():
            self._changed.wait_for(lambda: block.state is not _State.COMING)
            if block.error is not None:
                raise block.error
            return block.data

    def drop(self, blocks: Iterable[_Block]) -> None:
        """Forget blocks: their memory is free for others."""
        with self._changed:
            for block in blocks:
                block.dropped = True
                self._forget_dropped(block)
            self._changed.notify_all()

    def close(self) -> None:
        """Fetch no more."""
        with self._changed:
            self._closed = True
            self._planned.clear()
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._fits())
                if self._closed:
                    return
                block = self._planned.popleft()
                if block.state is not _State.PLANNED:
                    continue
                self._begin(block)
            self._fetch(block)

    def _fits(self) -> bool:
        while self._planned and self._planned[0].state is not _State.PLANNED:
            self._planned.popleft()
        return bool(self._planned) and self._held + self._planned[0].size <= self._budget

    def _begin(self, block: _Block) -> None:
        block.state = _State.COMING
        self._held += block.size

    def _fetch(self, block: _Block) -> None:
        try:
            data, error = block.reader.fetch(block.start, block.stop), None
        except BaseException as exc:
            data, error = b"", exc
        with self._changed:
            block.data, block.error, block.state = data, error, _State.HERE
            self._forget_dropped(block)
            self._changed.notify_all()

    def _forget_dropped(self, block: _Block) -> None:
        if not block.dropped or block.state is _State.COMING:
            return
        self._held -= block.size if block.state is _State.HERE else 0
        block.state, block.data, block.error = _State.GONE, b"", None


class PrefetchedFile(io.RawIOBase):
    """A seekable file whose planned ranges are fetched ahead; any other is fetched when read.

    A block is forgotten when its last byte was read. Give it to one thread at a time. Errors of
    reading are those of :class:`quest22.source.io.ranges.RangeReader`.
    """

    def __init__(self, reader: RangeReader, ahead: Prefetcher | None = None) -> None:
        super().__init__()
        self.name = reader.name
        self._reader = reader
        self._ahead = ahead if ahead is not None and reader.remote else Prefetcher(0, 0)
        self._planning = reader.remote and ahead is not None
        self._blocks: list[Any] = []
        self._starts: list[int] = []
        self._place = 0

    def plan(self, spans: Sequence[Span]) -> None:
        """Fetch these ranges ahead, in this order, in place of what was planned before."""
        self._ahead.drop(self._blocks)
        planned = self._ahead.plan(self._reader, spans if self._planning else ())
        self._blocks = sorted(planned, key=lambda block: block.start)
        self._starts = [block.start for block in self._blocks]

    def read(self, size: int | None = -1, /) -> bytes:
        """What the base class reads, without holding it twice: a page may be hundreds of MB."""
        left = max(0, self._reader.size - self._place)
        data = io.BytesIO()
        for piece in self._pieces(left if size is None or size < 0 else min(size, left)):
            data.write(piece)
        return data.getvalue()  # which copies nothing

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer).cast("B")
        filled = 0
        for piece in self._pieces(min(len(view), max(0, self._reader.size - self._place))):
            view[filled : filled + len(piece)] = piece
            filled += len(piece)
        return filled

    def _pieces(self, size: int) -> Iterator[memoryview | bytes]:
        """The next bytes as they are held; the place moves on with them."""
        stop = self._place + size
        while self._place < stop:
            piece = self._piece(self._place, stop)
            self._place += len(piece)
            yield piece

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._reader.size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def tell(self) -> int:
        return self._place

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        if not self.closed:
            self._ahead.drop(self._blocks)
            self._blocks, self._starts = [], []
            self._reader.close()
        super().close()

    def _piece(self, start: int, stop: int) -> memoryview | bytes:
        """Some bytes from ``start`` on: what one block holds of them, or all up to the next."""
        number = bisect_right(self._starts, start) - 1
        block = self._blocks[number] if number >= 0 else None
        if block is None or start >= block.stop or block.state is _State.GONE:
            following = self._starts[number + 1 : number + 2]
            return self._reader.fetch(start, min([stop, start + PIECE_BYTES, *following]))
        data = self._ahead.take(block)
        piece = memoryview(data)[start - block.start : stop - block.start]
        if stop >= block.stop:
            self._ahead.drop([block])
        return piece


def split_spans(spans: Iterable[Span], longest: int) -> list[Span]:
    """Ranges cut into pieces of ``longest`` bytes at most, in their order."""
    return [
        (at, min(at + longest, stop)) for start, stop in spans for at in range(start, stop, longest)
    ]


def coalesced(spans: Sequence[Span], longest: int) -> list[Span]:
    """The same for ranges that are read in step: pieces in the order of their relative places."""
    placed = [
        ((piece[0] - start) / (stop - start), number, piece)
        for number, (start, stop) in enumerate(spans)
        for piece in split_spans([(start, stop)], longest)
    ]
    return [piece for _, _, piece in sorted(placed)]
