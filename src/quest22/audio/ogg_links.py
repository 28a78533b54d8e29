"""The links of chained Ogg files (RFC 3533, section 4), one file each.

FFmpeg gives up a chain, or decodes it wrongly, where the next link has other channels, another rate
or another codec. Knows pages only, and no codec.
"""

from __future__ import annotations

from quest22.audio.media_reader import MediaReader

CAPTURE = b"OggS"
FIRST_PAGE = CAPTURE + b"\0\x02"
"""Version 0; the first page of a logical stream and nothing else."""
HEADER_BYTES = 27
NUMBER_AT = 18
BLOCK_BYTES = 64 * 1024


class LinkFile:
    """The link that begins at a reader's ``base``, as a file that ends with it.

    ``end`` is where the next link begins in this one's bytes: known when they have been read up to
    there. A link is found as its bytes pass; nothing is read for that.
    """

    def __init__(self, reader: MediaReader) -> None:
        self._reader = reader
        self._first_pages_end = _first_pages_end(reader)
        self._tail, self._tail_end = b"", 0
        self.end: int | None = None

    def read(self, size: int = -1) -> bytes:
        at = self._reader.tell()
        data = self._reader.read(size)
        before = self._tail if at == self._tail_end else b""
        found = find_first_page(before + data, self._first_pages_end - at + len(before))
        if found is not None:
            begin = at - len(before) + found
            self.end = begin if self.end is None else min(self.end, begin)
        self._tail = (before + data)[-HEADER_BYTES:]
        self._tail_end = at + len(data)
        return data if self.end is None else data[: max(self.end - at, 0)]

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._reader.seek(offset, whence)

    def tell(self) -> int:
        return self._reader.tell()

    def seekable(self) -> bool:
        return self._reader.seekable()


def next_link(reader: MediaReader) -> int | None:
    """Where the link behind the one at the reader's ``base`` begins, in the whole file."""
    file = LinkFile(reader)
    file.seek(0)
    while file.read(BLOCK_BYTES):
        pass
    return None if file.end is None else reader.base + file.end


def find_first_page(data: bytes, begin: int) -> int | None:
    """Where a logical stream begins in ``data``, from ``begin`` on."""
    found = data.find(FIRST_PAGE, max(begin, 0))
    while found >= 0:
        if data[found + NUMBER_AT : found + NUMBER_AT + 4] == bytes(4):
            return found
        found = data.find(FIRST_PAGE, found + 1)
    return None


def _first_pages_end(reader: MediaReader) -> int:
    """Where the first pages of the streams of a link end; more than 0."""
    at = 0
    while True:
        reader.seek(at)
        head = reader.read(HEADER_BYTES + 255)
        if not head.startswith(FIRST_PAGE) or len(head) < HEADER_BYTES:
            return max(at, 1)
        segments = head[HEADER_BYTES - 1]
        at += HEADER_BYTES + segments + sum(head[HEADER_BYTES : HEADER_BYTES + segments])
