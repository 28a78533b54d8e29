"""One link of a chained Ogg stream (RFC 3533, section 4): it ends where the next one begins.

Radio stations begin a link with each song; FFmpeg gives up there if the next has another rate.
"""

from __future__ import annotations

from quest22.audio.ogg_links import CAPTURE, FIRST_PAGE, HEADER_BYTES, find_first_page
from quest22.capture.byte_streams import PeekedBytes

_FLAGS_AT = 5
_FIRST = 2


class LinkBytes:
    """The bytes of a stream up to the next link. Holds back nothing that could not begin one."""

    def __init__(self, stream: PeekedBytes) -> None:
        self._stream = stream
        self._begun = self._ended = False
        self._held = b""

    def read(self, size: int) -> bytes:
        """What is there of this link; empty at its end."""
        while not self._ended and (data := self._stream.read(size)):
            data = self._held + data
            begin = self._later_pages(data)
            found = None if begin is None else find_first_page(data, begin)
            if found is not None:
                self._held, self._ended = b"", True
                self._stream.give_back(data[found:])
                return data[:found]
            end = len(data) - _open_end(data)
            self._held = data[end:]
            if end:
                return data[:end]
        held, self._held = self._held, b""
        return held

    def _later_pages(self, data: bytes) -> int | None:
        """From where on a first page begins another link; None if none does yet.

        A link may begin with several first pages, one for each stream in it.
        """
        if self._begun:
            return 0
        at = data.find(CAPTURE)
        while 0 <= at < len(data) - _FLAGS_AT:
            if not data[at + _FLAGS_AT] & _FIRST:
                self._begun = True
                return at
            at = data.find(CAPTURE, at + 1)
        return None


def _open_end(data: bytes) -> int:
    """How many of the last bytes might begin a first page that has not come whole."""
    at = data.rfind(FIRST_PAGE, max(len(data) - HEADER_BYTES + 1, 0))
    if at >= 0:
        return len(data) - at
    for size in range(len(FIRST_PAGE) - 1, 0, -1):
        if data.endswith(FIRST_PAGE[:size]):
            return size
    return 0
