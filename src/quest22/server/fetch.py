"""Downloads recordings from URLs that clients send, from the public internet only.

The host name is resolved once, all of its addresses must be public, and the connection goes to one
of them, so DNS rebinding has no effect. Redirects are checked the same way. Proxies from the
environment are not used, because they would resolve the name again.
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
"""Below this, only ports 80 and 443 are allowed: others belong to mail, shells and so on."""

CONNECT_TIMEOUT_S, RESPONSE_TIMEOUT_S, READ_TIMEOUT_S, TOTAL_TIMEOUT_S = 10.0, 30.0, 30.0, 1800.0
PIECE_BYTES = 1 << 16
MAX_URL_CHARACTERS = 8192

_PLAIN = re.compile(r"[!-~]+")
_HOST = re.compile(r"[a-z0-9_.-]+|[0-9a-f:.]+", re.IGNORECASE)

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


async def resolve(host: str, port: int) -> Sequence[str]:
    """Resolve a host name; raises :class:`OSError`."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Downloads recordings; ``is_allowed`` decides to which addresses it may connect."""

    max_bytes: int
    resolve: Resolve = resolve
    is_allowed: Callable[[str], bool] = is_public
    min_port: int = MIN_PORT
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    async def fetched(self, url: str) -> AsyncIterator[bytes]:
        """The recording's bytes as they arrive; raises :class:`Refusal` at any point."""
        until = asyncio.get_running_loop().time() + TOTAL_TIMEOUT_S
        for _ in range(MAX_REDIRECTS + 1):
            async with self._answer(_checked(url, self.min_port), until) as answer:
                if answer.moved_to is None:
                    async for data in answer.body():
                        yield data
                    return
                try:
                    url = urljoin(url, answer.moved_to)
                except ValueError as exc:
                    raise _invalid_url(str(exc)) from exc
        raise _fetch_failed(f"it was redirected more than {MAX_REDIRECTS} times")

    @asynccontextmanager
    async def _answer(self, url: SplitResult, until: float) -> AsyncIterator[_Response]:
        host, secure = url.hostname or "", url.scheme == "https"
        port = url.port or (443 if secure else 80)
        address = await self._address(host, port)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(
                    address,
                    port,
                    ssl=self.tls if secure else None,
                    server_hostname=host if secure else None,
                )
        except ssl.SSLCertVerificationError as exc:
            raise _fetch_failed("the certificate of its server is not valid") from exc
        except (OSError, ssl.SSLError) as exc:
            raise _fetch_failed("its server cannot be reached") from exc
        try:
            answer = _Response(reader, self.max_bytes, until)
            await answer.ask(writer, url)
            yield answer
        finally:
            writer.close()

    async def _address(self, host: str, port: int) -> str:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                addresses = await self.resolve(host, port)
        except (OSError, UnicodeError) as exc:
            raise _fetch_failed("the name of its server is not known") from exc
        if not addresses or not all(map(self.is_allowed, addresses)):
            raise Refusal(
                "forbidden", f"url: {host} is not on the public internet", parameter="url"
            )
        return addresses[0]


async def fetched(url: str, settings: ServerSettings, max_bytes: int) -> AsyncIterator[bytes]:
    """The recording at a client's URL; raises :class:`Refusal`, also if this is disabled."""
    if not settings.fetch_urls:
        raise Refusal(
            "forbidden",
            "this server fetches no URLs: send the recording itself (--fetch-urls enables it)",
            parameter="url",
        )
    async for data in Fetcher(max_bytes).fetched(url):
        yield data


def _checked(url: str, min_port: int) -> SplitResult:
    """Parse and check a URL; it is not parsed again later."""
    if len(url) > MAX_URL_CHARACTERS or not _PLAIN.fullmatch(url) or "\\" in url:
        raise _invalid_url("expected ASCII characters, others percent-encoded")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise _invalid_url(str(exc)) from exc
    if parts.scheme not in ("http", "https"):
        raise _invalid_url("expected http or https")
    if parts.username is not None or parts.password is not None:
        raise _invalid_url("expected no user and password")
    if not parts.hostname or not _HOST.fullmatch(parts.hostname):
        raise _invalid_url("expected a host name")
    if port is not None and port not in (80, 443) and port < min_port:
        raise _invalid_url(f"port {port} is not allowed")
    return parts


def _invalid_url(expected: str) -> Refusal:
    return Refusal("bad_request", f"url cannot be fetched: {expected}", parameter="url")


def _fetch_failed(why: str) -> Refusal:
    return Refusal("unreadable_audio", f"url could not be fetched: {why}", parameter="url")


class _Response:
    """An HTTP response: the recording, or a redirect."""

    def __init__(self, reader: asyncio.StreamReader, max_bytes: int, until: float) -> None:
        self._connection = h11.Connection(h11.CLIENT)
        self._reader = reader
        self._most_bytes = max_bytes
        self._until = until
        self.moved_to: str | None = None

    async def ask(self, writer: asyncio.StreamWriter, url: SplitResult) -> None:
        """Send the request and read the response headers."""
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
        head = await self._next(RESPONSE_TIMEOUT_S)
        while isinstance(head, h11.InformationalResponse):
            head = await self._next(RESPONSE_TIMEOUT_S)
        if not isinstance(head, h11.Response):
            raise _fetch_failed("its server broke off")
        headers = {name.decode(): value.decode("latin-1") for name, value in head.headers}
        if head.status_code in REDIRECTS and "location" in headers:
            self.moved_to = headers["location"]
            return
        if head.status_code != 200:
            raise _fetch_failed(f"its server answered {head.status_code}")
        if headers.get("content-encoding", "identity") != "identity":
            raise _fetch_failed("its server compressed it although asked not to")
        self._check_size(int(headers.get("content-length", 0)))

    async def body(self) -> AsyncIterator[bytes]:
        """The body as it arrives."""
        taken = 0
        while isinstance(event := await self._next(READ_TIMEOUT_S), h11.Data):
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
            raise _fetch_failed("its server is too slow") from exc
        except (OSError, h11.RemoteProtocolError) as exc:
            raise _fetch_failed("its server broke off") from exc
        return event
