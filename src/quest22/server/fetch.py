"""Recordings that clients name by an address: fetched from the public internet, and nowhere else.

The name is resolved once, all of its addresses must be public, and the connection goes to one of
these: a name that means something else a moment later changes nothing. Redirects go the same way.
The proxies of the environment are not used, as they would resolve the name again.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urljoin, urlsplit

import h11

from quest22.server.access.public_address import is_public
from quest22.server.refusal import Refusal
from quest22.settings.server import ServerSettings
from quest22.version import __version__

MAX_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MIN_PORT = 1024
"""Of the ports below, only those of the web are used: others belong to mail, shells and so on."""

CONNECT_S, ANSWER_S, PIECE_S, WHOLE_S = 10.0, 30.0, 30.0, 1800.0
PIECE_BYTES = 1 << 16
MAX_URL_CHARACTERS = 8192

_PLAIN = re.compile(r"[!-~]+")
_HOST = re.compile(r"[a-z0-9_.-]+|[0-9a-f:.]+", re.IGNORECASE)

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a host; raises :class:`OSError`."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True)
class Fetching:
    """How recordings are fetched; ``permits`` is which addresses may be connected to."""

    max_bytes: int
    resolve: Resolve = resolve
    permits: Callable[[str], bool] = is_public
    min_port: int = MIN_PORT
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    async def fetched(self, url: str) -> AsyncIterator[bytes]:
        """The recording's bytes as they come; raises :class:`Refusal`, also on the way."""
        until = asyncio.get_running_loop().time() + WHOLE_S
        for _ in range(MAX_REDIRECTS + 1):
            async with self._answer(_checked(url, self.min_port), until) as answer:
                if answer.moved_to is None:
                    async for data in answer.body():
                        yield data
                    return
                try:
                    url = urljoin(url, answer.moved_to)
                except ValueError as exc:
                    raise _bad(str(exc)) from exc
        raise _unfetched(f"it was redirected more than {MAX_REDIRECTS} times")

    @asynccontextmanager
    async def _answer(self, url: SplitResult, until: float) -> AsyncIterator[_Answer]:
        host, secure = url.hostname or "", url.scheme == "https"
        port = url.port or (443 if secure else 80)
        address = await self._address(host, port)
        try:
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_connection(
                    address,
                    port,
                    ssl=self.tls if secure else None,
                    server_hostname=host if secure else None,
                )
        except ssl.SSLCertVerificationError as exc:
            raise _unfetched("the certificate of its server is not valid") from exc
        except (OSError, ssl.SSLError) as exc:
            raise _unfetched("its server cannot be reached") from exc
        try:
            answer = _Answer(reader, self.max_bytes, until)
            await answer.ask(writer, url)
            yield answer
        finally:
            writer.close()

    async def _address(self, host: str, port: int) -> str:
        try:
            async with asyncio.timeout(CONNECT_S):
                addresses = await self.resolve(host, port)
        except (OSError, UnicodeError) as exc:
            raise _unfetched("the name of its server is not known") from exc
        if not addresses or not all(map(self.permits, addresses)):
            raise Refusal(
                "forbidden", f"url: {host} is not on the public internet", parameter="url"
            )
        return addresses[0]


async def fetched(url: str, settings: ServerSettings, max_bytes: int) -> AsyncIterator[bytes]:
    """What a client's address gives, if this server fetches any; raises :class:`Refusal`."""
    if not settings.fetch_urls:
        raise Refusal(
            "forbidden",
            "this server fetches no addresses: send the recording itself (--fetch-urls allows it)",
            parameter="url",
        )
    async for data in Fetching(max_bytes).fetched(url):
        yield data


def _checked(url: str, min_port: int) -> SplitResult:
    """The parts of an address that may be fetched; nothing reads it a second time."""
    if len(url) > MAX_URL_CHARACTERS or not _PLAIN.fullmatch(url) or "\\" in url:
        raise _bad("expected plain characters, and others as %XX")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise _bad(str(exc)) from exc
    if parts.scheme not in ("http", "https"):
        raise _bad("expected http or https")
    if parts.username is not None or parts.password is not None:
        raise _bad("expected no user and password")
    if not parts.hostname or not _HOST.fullmatch(parts.hostname):
        raise _bad("expected the name of a host")
    if port is not None and port not in (80, 443) and port < min_port:
        raise _bad(f"port {port} is not one of the web")
    return parts


def _bad(expected: str) -> Refusal:
    return Refusal("bad_request", f"url cannot be fetched: {expected}", parameter="url")


def _unfetched(why: str) -> Refusal:
    return Refusal("unreadable_audio", f"url could not be fetched: {why}", parameter="url")


class _Answer:
    """What came back: the recording, or where it has moved to."""

    def __init__(self, reader: asyncio.StreamReader, max_bytes: int, until: float) -> None:
        self._connection = h11.Connection(h11.CLIENT)
        self._reader = reader
        self._most_bytes = max_bytes
        self._until = until
        self.moved_to: str | None = None

    async def ask(self, writer: asyncio.StreamWriter, url: SplitResult) -> None:
        """Send the request, and read the answer's head."""
        request = h11.Request(
            method="GET",
            target=(url.path or "/") + (f"?{url.query}" if url.query else ""),
            headers=[
                ("Host", url.netloc),
                ("User-Agent", f"quest22/{__version__}"),
                ("Accept", "*/*"),
                ("Accept-Encoding", "identity"),
                ("Connection", "close"),
            ],
        )
        for event in (request, h11.EndOfMessage()):
            writer.write(self._connection.send(event) or b"")
        head = await self._next(ANSWER_S)
        while isinstance(head, h11.InformationalResponse):
            head = await self._next(ANSWER_S)
        if not isinstance(head, h11.Response):
            raise _unfetched("its server broke off")
        headers = {name.decode(): value.decode("latin-1") for name, value in head.headers}
        if head.status_code in REDIRECTS and "location" in headers:
            self.moved_to = headers["location"]
            return
        if head.status_code != 200:
            raise _unfetched(f"its server answered {head.status_code}")
        if headers.get("content-encoding", "identity") != "identity":
            raise _unfetched("its server compressed it, though it was asked not to")
        self._check_size(int(headers.get("content-length", 0)))

    async def body(self) -> AsyncIterator[bytes]:
        """The bytes as they come."""
        taken = 0
        while isinstance(event := await self._next(PIECE_S), h11.Data):
            taken += len(event.data)
            self._check_size(taken)
            yield bytes(event.data)

    def _check_size(self, size: int) -> None:
        if size > self._most_bytes:
            raise Refusal(
                "too_large",
                f"url: the recording has more than {self._most_bytes} bytes",
                parameter="url",
            )

    async def _next(self, within_s: float) -> object:
        left_s = self._until - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(min(within_s, left_s)):
                while (event := self._connection.next_event()) is h11.NEED_DATA:
                    self._connection.receive_data(await self._reader.read(PIECE_BYTES))
        except TimeoutError as exc:
            raise _unfetched("its server is too slow") from exc
        except (OSError, h11.RemoteProtocolError) as exc:
            raise _unfetched("its server broke off") from exc
        return event
