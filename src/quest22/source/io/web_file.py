"""Reads one file from a web server by ranges, and believes no response that it did not ask for.

Every response is held against the request (status, ``Content-Range``, encoding, checksum) and
against the first response (ETag, date, size): see RFC 9110. No more than the requested bytes are
read. Does not retry.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar
from urllib.parse import urlsplit

from quest22.source.io.address import is_here
from quest22.source.io.checksums import Checksum, broken_checksum, checksums_of
from quest22.source.io.error_kinds import (
    CutOffError,
    OddResponseError,
    SourceChangedError,
    WebPageError,
)
from quest22.source.io.file_identity import FileIdentity, changed_message
from quest22.source.io.web_body import ResponseBody, decoded
from quest22.source.limits import MAX_REDIRECTS, MAX_WEB_FILE_BYTES, LimitError

if TYPE_CHECKING:
    from aiohttp import ClientResponse

T = TypeVar("T")

_CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,19})-(\d{1,19})|\*)/(\d{1,19}|\*)")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PARTIAL, _WHOLE, _NOT_SATISFIABLE = 206, 200, 416


class NoRangesError(Exception):
    """The server answers requests for a range with the whole file."""


class WebFile:
    """A file on a web server; several threads may read at once.

    The constructor asks for the first byte, which tells the file's size (None: unknown), its
    identity and whether the server answers requests for ranges. Raises aiohttp's errors,
    OddResponseError, SourceChangedError and CutOffError.
    """

    def __init__(self, filesystem: Any, url: str, name: str) -> None:
        """``filesystem`` is fsspec's for HTTP, whose session and event loop are used."""
        self._filesystem = filesystem
        self._url = url
        self._name = name
        self._if_range = True
        self.size: int | None = None
        self.identity = FileIdentity()
        self.checksums: list[Checksum] = []
        self.has_ranges = True
        self._run(self._look)
        if not self.has_ranges:  # which one odd answer must not decide
            before = self.identity
            self._run(self._look)
            if not self.has_ranges and before.change_to(self.identity):
                raise OddResponseError("it sent two different files")

    def fetch(self, start: int, stop: int) -> bytes:
        """The bytes from ``start`` up to but not including ``stop``.

        Raises NoRangesError if the server answers with the whole file.
        """
        if not self.has_ranges:
            raise NoRangesError
        data = b""
        while len(data) < stop - start:  # a server may send less than asked for, if it says so
            data += self._run(self._fetch, start + len(data), stop)
        return data

    def open_whole(self, filesystem: Any) -> BinaryIO:
        """The whole file as a stream that can be read once, and must be closed.

        ``filesystem`` is one that gives a response all the time it takes.
        """
        self._filesystem = filesystem
        response = self._run(self._open_whole)
        body = ResponseBody(response, self._filesystem.loop)
        return decoded(body, response.headers.get("Content-Encoding", ""), self._url)

    async def _look(self) -> None:
        async with await self._respond({"Range": "bytes=0-0"}) as response:
            if response.status == _NOT_SATISFIABLE:  # as an empty file has no first byte
                _, _, total = _content_range(response)
                if total != 0:
                    response.raise_for_status()
                self.size = 0
            elif response.status == _PARTIAL and not _encoding(response):
                start, stop, self.size = _content_range(response)
                if (start, stop) != (0, 1):
                    raise OddResponseError(f"it sent bytes {start}-{stop} when asked for the first")
                self.checksums = checksums_of(response.headers, await response.content.read(2))
                self.has_ranges = self.size is not None
            elif response.status in (_WHOLE, _PARTIAL):
                _refuse_page(response, self._url)
                self.has_ranges = False
                plain = response.status == _WHOLE and not _encoding(response)
                self.size = response.content_length if plain else None
            else:
                raise OddResponseError(f"it answered {response.status} when asked for a range")
            if self.size is not None and self.size > MAX_WEB_FILE_BYTES:
                raise LimitError(
                    f"the server says that it has {self.size:,} bytes: more than a data file can "
                    f"have ({MAX_WEB_FILE_BYTES >> 40} TiB)"
                )
            self.identity = FileIdentity.of_headers(response.headers, self.size)

    async def _fetch(self, start: int, stop: int) -> bytes:
        headers = {"Range": f"bytes={start}-{stop - 1}"}
        if self._if_range and self.identity.validator is not None:
            headers["If-Range"] = self.identity.validator
        async with await self._respond(headers) as response:
            if response.status == _PARTIAL and _content_range(response)[0] != start:
                raise OddResponseError(f"it did not send the bytes from {start} on")
            _refuse_page(response, self._url)
            self._check_same(response, _total(response))
            if response.status == _WHOLE and "If-Range" in headers:  # some misunderstand it
                self._if_range = False
                raise OddResponseError("it sent the whole file when asked for a range")
            if response.status == _WHOLE:
                raise NoRangesError
            if response.status != _PARTIAL or _encoding(response):
                raise OddResponseError(f"it answered {response.status} when asked for a range")
            first, end, _ = _content_range(response)
            if first != start or end is None or not start < end <= stop:
                raise OddResponseError(f"it sent bytes {first}-{end} when asked for {start}-{stop}")
            data = await _read_exactly(response, end - start)
            wrong = broken_checksum(checksums_of(response.headers, data, self.checksums), data)
            if wrong is not None:
                raise OddResponseError(f"what it sent does not have the {wrong} that it states")
            return data

    async def _open_whole(self) -> ClientResponse:
        response = await self._respond({})
        try:
            if response.status != _WHOLE:
                raise OddResponseError(f"it answered {response.status} when asked for the file")
            _refuse_page(response, self._url)
            self._check_same(response, None if _encoding(response) else response.content_length)
        except BaseException:
            response.close()
            raise
        return response

    def _check_same(self, response: ClientResponse, size: int | None) -> None:
        if response.status not in (_WHOLE, _PARTIAL):
            return
        change = self.identity.change_to(FileIdentity.of_headers(response.headers, size))
        if change is not None:
            raise SourceChangedError(changed_message(self._name, change))

    async def _respond(self, headers: dict[str, str]) -> ClientResponse:
        """The response after redirects; aiohttp's error for a status of 400 and above."""
        import aiohttp
        from yarl import URL

        session = await self._filesystem.set_session()
        options = dict(self._filesystem.kwargs)
        headers = {**options.pop("headers", {}), "Accept-Encoding": "identity", **headers}
        url = self._filesystem.encode_url(self._url)
        for _ in range(MAX_REDIRECTS + 1):
            try:
                response: ClientResponse = await session.get(
                    url, headers=headers, allow_redirects=False, auto_decompress=False, **options
                )
            except aiohttp.ClientResponseError as exc:  # how aiohttp says that it is no HTTP
                raise OddResponseError(
                    f"its answer is not HTTP ({_first_line(exc.message)})"
                ) from exc
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or not location:
                if response.status >= 400 and response.status != _NOT_SATISFIABLE:
                    response.close()
                    response.raise_for_status()
                return response
            response.close()
            try:
                target = url.join(URL(location))
            except ValueError as exc:
                raise OddResponseError("it redirects to what is no address") from exc
            _check_redirect(url.host, str(target))
            url = target
        raise OddResponseError(f"it redirects more than {MAX_REDIRECTS} times")

    def _run(self, action: Callable[..., Coroutine[Any, Any, T]], *arguments: int) -> T:
        from fsspec.asyn import sync

        result: T = sync(self._filesystem.loop, action, *arguments)
        return result


async def _read_exactly(response: ClientResponse, count: int) -> bytes:
    """So many bytes of the body; what follows them is not read."""
    data = bytearray()
    while len(data) < count:
        block = await response.content.read(count - len(data))
        if not block:
            raise CutOffError(f"{len(data)} bytes came of {count} asked for")
        data += block
    return bytes(data)


def _content_range(response: ClientResponse) -> tuple[int | None, int | None, int | None]:
    """Start, stop (not included) and total of a ``Content-Range``; None for what is unknown."""
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if match is None:
        raise OddResponseError("its answer lacks a Content-Range")
    first, last, total = match.groups()
    stop = None if last is None else int(last) + 1
    start = None if first is None else int(first)
    return start, stop, None if total == "*" else int(total)


def _refuse_page(response: ClientResponse, url: str) -> None:
    """Refuse a page for people, such as one to log in or one that says that there is an error."""
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind == "text/html" and not urlsplit(url).path.lower().endswith((".htm", ".html")):
        raise WebPageError("it sent a web page in place of the file")


def _total(response: ClientResponse) -> int | None:
    if response.status == _PARTIAL:
        return _content_range(response)[2]
    return None if _encoding(response) else response.content_length


def _encoding(response: ClientResponse) -> str:
    """The encoding of a body that was to have none, in lower case."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    return "" if encoding == "identity" else encoding


def _check_redirect(host: str | None, target: str) -> None:
    """Refuse redirects to what is no web address, and from other machines to this one."""
    parts = urlsplit(target)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise OddResponseError(f"it redirects to {parts.scheme or 'what is no address'}")
    if is_here(parts.hostname) and not is_here(host or ""):
        raise OddResponseError("it redirects to this machine or its own network link")


def _first_line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "").strip(" :")[:100] or "no more is known"
