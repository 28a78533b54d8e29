"""A local HTTP server for one folder, so that the demo streams as it would from a remote host.

Supports byte ranges; knows nothing of datasets. Read-only, on 127.0.0.1 alone, with a thread for
each connection.
"""

from __future__ import annotations

import re
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

BLOCK_BYTES = 1 << 16
IDLE_S = 30.0

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, slots=True)
class Traffic:
    """The number of requests so far, and the bytes of file content sent."""

    requests: int
    bytes_sent: int


@dataclass(frozen=True, slots=True)
class _Range:
    """The part of a file in a response: from ``start`` up to, not including, ``stop``."""

    start: int
    stop: int
    partial: bool


class RangeServer:
    """Serves one folder within its ``with`` block, on any free port by default.

    ``url`` is the folder's address, without a trailing slash.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        self._folder = folder.resolve(strict=True)
        self._lock = threading.Lock()
        self._requests = 0
        self._bytes_sent = 0
        self._server = _Server(("127.0.0.1", port), partial(_Handler, self))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="quest22-demo", daemon=True
        )

    def __enter__(self) -> RangeServer:
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
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """The address of the folder, such as ``http://127.0.0.1:40123``."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def traffic(self) -> Traffic:
        """The number of requests and bytes of content so far."""
        with self._lock:
            return Traffic(self._requests, self._bytes_sent)

    def find(self, target: str) -> Path | None:
        """The regular file for a request target; None if the folder has no such file."""
        relative = unquote(urlsplit(target).path).lstrip("/")
        if "\0" in relative:
            return None
        path = (self._folder / relative).resolve()
        is_inside = path.is_relative_to(self._folder)
        return path if is_inside and path.is_file() else None

    def count(self, requests: int = 0, bytes_sent: int = 0) -> None:
        """Add to ``traffic``."""
        with self._lock:
            self._requests += requests
            self._bytes_sent += bytes_sent


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, *options: Any) -> None:
        self._connections: set[socket.socket] = set()
        super().__init__(*options)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect; report anything else as usual."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        """Close connections that clients keep open, too."""
        super().server_close()
        for connection in list(self._connections):
            with suppress(OSError):  # the client has just disconnected
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "quest22"
    sys_version = ""
    timeout = IDLE_S
    disable_nagle_algorithm = True

    def __init__(self, owner: RangeServer, *connection: object) -> None:
        self._owner = owner
        super().__init__(*connection)  # type: ignore[arg-type]

    def setup(self) -> None:
        super().setup()
        # A small buffer, because bytes that are sent but never read would be counted.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BLOCK_BYTES)

    def do_HEAD(self) -> None:
        self._respond(with_body=False)

    def do_GET(self) -> None:
        self._respond(with_body=True)

    def log_message(self, *message: object) -> None:
        """Log nothing: the demo shows the counts."""

    def _respond(self, *, with_body: bool) -> None:
        self._owner.count(requests=1)
        path = self._owner.find(self.path)
        if path is None:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        size = path.stat().st_size
        span = parse_range(self.headers.get("Range"), size)
        if span is None:
            self._refuse(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, f"bytes */{size}")
            return
        self._send_headers(path, span, size)
        if with_body:
            with path.open("rb") as file:
                self._send_body(file, span)

    def _send_headers(self, path: Path, span: _Range, size: int) -> None:
        status = path.stat()
        self.send_response(HTTPStatus.PARTIAL_CONTENT if span.partial else HTTPStatus.OK)
        if span.partial:
            self.send_header("Content-Range", f"bytes {span.start}-{span.stop - 1}/{size}")
        self.send_header("Content-Length", str(span.stop - span.start))
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{status.st_mtime_ns:x}-{size:x}"')
        self.send_header("Last-Modified", formatdate(status.st_mtime, usegmt=True))
        self.end_headers()

    def _send_body(self, file: BinaryIO, span: _Range) -> None:
        try:
            for block in _blocks(file, span):
                self.wfile.write(block)
                self._owner.count(bytes_sent=len(block))
        except (ConnectionError, TimeoutError):
            self.close_connection = True  # the client has disconnected

    def _refuse(self, status: HTTPStatus, content_range: str | None = None) -> None:
        body = f"{status.value} {status.phrase}\n".encode()
        self.send_response(status)
        if content_range:
            self.send_header("Content-Range", content_range)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def parse_range(header: str | None, size: int) -> _Range | None:
    """The range that a ``Range`` header requests of ``size`` bytes; None if unsatisfiable.

    A header that is not a single byte range is ignored, as RFC 9110 (section 14.2) allows.
    """
    match = _RANGE.fullmatch(header or "")
    if match is None or match.group(0) == "bytes=-":
        return _Range(0, size, partial=False)
    first, last = match.groups()
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1 if last else size)
    return _Range(start, stop, partial=True) if start < stop else None


def _blocks(file: BinaryIO, span: _Range) -> Iterator[bytes]:
    file.seek(span.start)
    remaining = span.stop - span.start
    while remaining and (block := file.read(min(BLOCK_BYTES, remaining))):
        remaining -= len(block)
        yield block
