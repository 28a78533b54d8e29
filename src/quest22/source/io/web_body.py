"""The body of a web response as a stream that is read once, unpacked if the server packed it."""

from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import urlsplit

from quest22.source.io.error_kinds import OddResponseError
from quest22.source.limits import MAX_BODY_RATIO, MIN_RATIO_BYTES

if TYPE_CHECKING:
    from aiohttp import ClientResponse

_GZIP = frozenset({"gzip", "x-gzip"})
_PACKED_SUFFIXES = (".gz", ".tgz")


class ResponseBody(io.RawIOBase):
    """A response's body, as it was sent; ``received`` counts its bytes."""

    def __init__(self, response: ClientResponse, loop: Any) -> None:
        super().__init__()
        self._response = response
        self._loop = loop
        self.received = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        from fsspec.asyn import sync

        view = memoryview(buffer).cast("B")
        block: bytes = sync(self._loop, self._response.content.read, len(view))
        view[: len(block)] = block
        self.received += len(block)
        return len(block)

    def close(self) -> None:
        if not self.closed:
            self._loop.call_soon_threadsafe(self._response.close)
        super().close()


def decoded(body: ResponseBody, encoding: str, url: str) -> BinaryIO:
    """The file in a body with this ``Content-Encoding``.

    A packed file, such as ``a.tar.gz``, is what it is. Raises OddResponseError for encodings that
    nobody asked for and that are unknown here.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return cast("BinaryIO", body)
    if encoding not in _GZIP:
        body.close()
        raise OddResponseError(f"it sends the file in the encoding {encoding[:30]!r}")
    if urlsplit(url).path.lower().endswith(_PACKED_SUFFIXES):
        return cast("BinaryIO", body)
    return cast("BinaryIO", _Unpacked(body))


class _Unpacked(io.RawIOBase):
    """A body that is packed with gzip, unpacked; endless repetition is refused."""

    def __init__(self, body: ResponseBody) -> None:
        super().__init__()
        self._body = body
        self._file = gzip.GzipFile(fileobj=io.BufferedReader(body))
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        count = self._file.readinto(buffer)
        self._count += count
        if self._count > max(MIN_RATIO_BYTES, MAX_BODY_RATIO * self._body.received):
            raise OddResponseError(
                f"it sends a file that is packed more than {MAX_BODY_RATIO} times"
            )
        return count

    def close(self) -> None:
        if not self.closed:
            self._body.close()
        super().close()
