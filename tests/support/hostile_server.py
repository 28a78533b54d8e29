"""A web server on loopback that answers one request, or several, in an odd way.

    with HostileServer(folder) as server:
        server.odd = {3: "garbage"}          # the fourth request
        read(f"{server.url}/a.tar")
        assert server.count > 3

Else it answers as it should: ranges, ETags, dates. It writes raw bytes, as an HTTP library would
not write these.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from types import TracebackType

_RANGE = re.compile(rb"(?im)^range: *bytes=(\d+)-(\d*)")
_IF_RANGE = re.compile(rb"(?im)^if-range: *(.+?)\r$")


@dataclass(frozen=True)
class Request:
    """One request: its path, and the range it asks for."""

    path: str
    start: int | None
    stop: int | None
    if_range: str | None
    raw: bytes


@dataclass(frozen=True)
class Answer:
    """What is sent: a status, headers and a body."""

    status: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def __bytes__(self) -> bytes:
        headers = {"Content-Length": str(len(self.body)), **self.headers}
        lines = [
            f"HTTP/1.1 {self.status}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + self.body


class HostileServer:
    """Serves a folder; ``odd`` maps numbers of requests to names in :data:`ODDITIES`.

    ``always`` is odd for every request from its number on. ``etags`` and ``dates`` switch
    validators off, and ``extra`` makes headers from a file's content and the body.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.odd: dict[int, str] = {}
        self.always: tuple[int, str] | None = None
        self.only = ""
        self.count = 0
        self.etags = self.dates = True
        self.weak = False
        self.honours_if_range = True
        self.extra: Callable[[bytes, bytes], Mapping[str, str]] = lambda _content, _body: {}
        self.before: Callable[[int], None] = lambda _number: None
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    def __enter__(self) -> HostileServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def next_oddity(self, path: str) -> str | None:
        with self._lock:
            if self.only and self.only not in path:
                return None
            number, self.count = self.count, self.count + 1
        self.before(number)
        if self.always is not None and number >= self.always[0]:
            return self.always[1]
        return self.odd.get(number)

    def honest(self, request: Request) -> Answer:
        """The right answer."""
        path = self.folder / request.path.partition("?")[0].lstrip("/")
        if not path.is_file():
            return Answer("404 Not Found")
        content = path.read_bytes()
        etag = f'"{hashlib.md5(content).hexdigest()}"'
        headers = {"Accept-Ranges": "bytes"}
        if self.etags:
            headers["ETag"] = ("W/" if self.weak else "") + etag
        if self.dates:
            headers["Last-Modified"] = formatdate(path.stat().st_mtime, usegmt=True)
        known = (None, etag, headers.get("Last-Modified"))
        changed = self.honours_if_range and request.if_range not in known
        if request.start is None or changed:
            return Answer("200 OK", {**headers, **self.extra(content, content)}, content)
        if request.start >= len(content):
            return Answer("416 Range", {"Content-Range": f"bytes */{len(content)}"})
        stop = min(len(content), request.stop or len(content))
        headers["Content-Range"] = f"bytes {request.start}-{stop - 1}/{len(content)}"
        body = content[request.start : stop]
        return Answer("206 Partial Content", {**headers, **self.extra(content, body)}, body)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    owner: HostileServer

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no news."""


class _Handler(socketserver.BaseRequestHandler):
    request: socket.socket
    server: _Server

    def handle(self) -> None:
        pending = b""
        while True:
            while b"\r\n\r\n" not in pending:
                block = self.request.recv(1 << 16)
                if not block:
                    return
                pending += block
            head, _, pending = pending.partition(b"\r\n\r\n")
            request = _parsed(head + b"\r\n")
            oddity = self.server.owner.next_oddity(request.path)
            honest = self.server.owner.honest(request)
            if oddity is None:
                self.request.sendall(bytes(honest))
                continue
            with suppress(OSError):
                ODDITIES[oddity](self.request, request, honest)
            return  # an odd answer ends its connection


def _parsed(head: bytes) -> Request:
    path = head.split(b" ", 2)[1].decode()
    asked, condition = _RANGE.search(head), _IF_RANGE.search(head)
    start = int(asked[1]) if asked else None
    stop = int(asked[2]) + 1 if asked and asked[2] else None
    return Request(path, start, stop, condition[1].decode() if condition else None, head)


def _answer(status: str, body: bytes = b"odd", **headers: str) -> Callable[..., None]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda peer, _request, _honest: peer.sendall(bytes(Answer(status, named, body)))


def _raw(content: bytes) -> Callable[..., None]:
    return lambda peer, _request, _honest: peer.sendall(content)


def _changed(**changes: Callable[[Request, Answer], str]) -> Callable[..., None]:
    """The honest answer with other headers."""

    def send(peer: socket.socket, request: Request, honest: Answer) -> None:
        headers = {name.replace("_", "-"): of(request, honest) for name, of in changes.items()}
        peer.sendall(bytes(Answer(honest.status, {**honest.headers, **headers}, honest.body)))

    return send


def _moved_range(request: Request, honest: Answer) -> str:
    start = (request.start or 0) + 512
    return f"bytes {start}-{start + len(honest.body) - 1}/{10**7}"


def _short(peer: socket.socket, _request: Request, honest: Answer) -> None:
    peer.sendall(bytes(honest)[: -max(1, len(honest.body) // 2)])


def _endless(head: bytes, block: bytes) -> Callable[..., None]:
    def send(peer: socket.socket, _request: Request, _honest: Answer) -> None:
        peer.sendall(head)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            peer.sendall(block)

    return send


def _endless_range(peer: socket.socket, _request: Request, honest: Answer) -> None:
    headers = {name: value for name, value in honest.headers.items() if name != "Content-Length"}
    lines = [f"HTTP/1.1 {honest.status}", *(f"{name}: {each}" for name, each in headers.items())]
    head = "\r\n".join([*lines, "Connection: close"]).encode() + b"\r\n\r\n"
    _endless(head + honest.body, bytes(1 << 20))(peer, _request, honest)


def _redirect(location: str) -> Callable[..., None]:
    return _answer("302 Found", b"", Location=location)


def _loop(peer: socket.socket, request: Request, honest: Answer) -> None:
    _redirect(request.path)(peer, request, honest)


def _garbled_body(peer: socket.socket, _request: Request, honest: Answer) -> None:
    """Other bytes under honest headers."""
    body = bytes(byte ^ 0x5A for byte in honest.body)
    peer.sendall(bytes(Answer(honest.status, honest.headers, body)))


def _packed(peer: socket.socket, _request: Request, honest: Answer) -> None:
    body = gzip.compress(honest.body)
    headers = {**honest.headers, "Content-Encoding": "gzip"}
    peer.sendall(bytes(Answer(honest.status, headers, body)))


ODDITIES: dict[str, Callable[[socket.socket, Request, Answer], None]] = {
    "404": _answer("404 Not Found"),
    "410": _answer("410 Gone"),
    "400": _answer("400 Bad Request"),
    "409": _answer("409 Conflict"),
    "418": _answer("418 I'm a teapot"),
    "429": _answer("429 Too Many Requests", Retry_After="0"),
    "500": _answer("500 Internal Server Error"),
    "503": _answer("503 Service Unavailable", Retry_After="0"),
    "204": _raw(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "416": _answer("416 Range Not Satisfiable"),
    "page": _answer("200 OK", b"<html>Please log in</html>", Content_Type="text/html"),
    "garbage": _raw(b"\x00\xff\x17 this is not HTTP at all\r\n\r\n" * 3),
    "status line": _raw(b"HTTP/1.1 abc Fine\r\nContent-Length: 0\r\n\r\n"),
    "nothing": _raw(b""),
    "half a head": _raw(b"HTTP/1.1 206 Partial Content\r\nContent-Ra"),
    "short body": _short,
    "moved range": _changed(Content_Range=_moved_range),
    "no range": _changed(Content_Range=lambda _request, _honest: "bytes what"),
    "packed range": _packed,
    "endless range": _endless_range,
    "long header": _raw(b"HTTP/1.1 200 OK\r\nX: " + b"a" * (1 << 20) + b"\r\n\r\n"),
    "many headers": _raw(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 20_000 + b"\r\n"),
    "endless headers": _endless(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 1000),
    "redirect to nowhere": _redirect("http://127.0.0.1:9/gone"),
    "redirect to a file": _redirect("file:///etc/passwd"),
    "redirect to nonsense": _redirect("http://[::bad/"),
    "redirect loop": _loop,
    "another file": _changed(ETag=lambda _request, _honest: '"another"'),
    "10^14 bytes": _changed(Content_Range=lambda _request, _honest: f"bytes 0-0/{10**14}"),
    "garbled body": _garbled_body,
    "hang": lambda _peer, _request, _honest: time.sleep(20),
}
"""Odd answers by name: each takes the connection, the request and the honest answer."""

PASSING = tuple(name for name in ODDITIES if name not in ("garbled body", "hang", "10^14 bytes"))
"""Those that a reader notices by itself."""
