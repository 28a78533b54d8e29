"""The Hugging Face Hub's stand-in: a local server that unmodified Hub clients talk to.

    with Hub() as hub:
        model = hub.add_model("openai/whisper-tiny", files_of(folder))
        data = hub.add_dataset("org/clips", {"data/train-00000.parquet": parquet_bytes})
        run([...], env=hub.environment(tmp_path / "home"))

``huggingface_hub`` and ``datasets`` read ``HF_ENDPOINT`` once, when they are imported. So either
run the code under test in a subprocess with :meth:`Hub.environment`, or, in one process, start one
Hub before anything imports them and leave it running (``endpoint=`` works where an API takes it).

Tokens: a token counts once it is in ``hub.tokens``; ``gated=True`` or ``private=True``
repositories need one that is also among their ``readers``::

    hub.add_model("org/secret", files, gated=True, readers={"hf_reader"})

Revisions: ``repository.commit({...})`` makes a new head of ``main`` and gives its commit,
``repository.tag("v1")`` names it. What was asked is in ``hub.requests`` (method, path, headers,
status, bytes sent), oldest first.

Faults: ``hub.faults.append(Fault("resolve/.*parquet", times=2, status=503))``. A fault matches
the request's target by regular expression, optionally one method, and is used up after ``times``
requests. It answers with ``status``, and/or waits ``delay_s`` first, and/or breaks the connection
after ``cut_after`` bytes of the body: in good order or by a ``reset``, at once or after
``stall_s`` of silence; and/or sends the body in pieces of 1 KiB, ``trickle_s`` apart; ``then`` is
called when the request has had its effect and before a byte is sent. ``hub.close()`` is the network
gone;
``Hub(hub.port, hub.catalogue)`` is it back again. ``hub.expire_signatures()``: storage refuses
(403) the addresses that were given out before.

Writing: ``hub.add_writer("hf_w", "ana", "org")`` is a token that may write under those names;
clients' commits are in ``repository.written``, what came of them in ``repository.head()``.

Files from 64 KiB on are "large": they are redirected to storage on another host name, which
refuses a request that carries the Hub's token, as cloud storage does. Xet is not spoken.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support.hub_answers import Answer, Catalogue, Request
from tests.support.hub_repository import Repository, files_of
from tests.support.hub_writing import answer_writing

__all__ = ["Fault", "Hub", "Repository", "Seen", "files_of"]

_BLOCK = 256 << 10
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(slots=True)
class Fault:
    """Something that goes wrong with the next ``times`` requests that match.

    ``raw`` bytes are sent in place of an answer.
    """

    pattern: str
    times: int = 1
    method: str | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut_after: int | None = None
    reset: bool = False
    stall_s: float = 0.0
    trickle_s: float = 0.0
    raw: bytes = b""
    then: Callable[[], None] | None = None

    def hits(self, request: Request) -> bool:
        """Whether it strikes this request; if so it is used up by one."""
        wanted = self.method in (None, request.method)
        if self.times < 1 or not wanted or not re.search(self.pattern, request.target):
            return False
        self.times -= 1
        return True


@dataclass(slots=True)
class Seen:
    """A request that was answered, and how; ``sent`` counts the body's bytes."""

    method: str
    target: str
    headers: Mapping[str, str]
    status: int
    sent: int = 0

    @property
    def path(self) -> str:
        return self.target.split("?", maxsplit=1)[0]


class Hub:
    """A running stand-in; see the module for how it is used."""

    def __init__(self, port: int = 0, catalogue: Catalogue | None = None) -> None:
        """``port`` and ``catalogue`` of one that was closed bring it back."""
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.hub = self
        self._lock = threading.Lock()
        self.catalogue = catalogue or Catalogue(f"http://localhost:{self._server.server_port}")
        self.requests: list[Seen] = []
        self.faults: list[Fault] = []
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()

    @property
    def endpoint(self) -> str:
        """The value of ``HF_ENDPOINT``."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def storage_host(self) -> str:
        """Where large files lie."""
        return f"localhost:{self.port}"

    def expire_signatures(self) -> None:
        """Storage refuses the addresses that were given out so far."""
        self.catalogue.signature += 1

    @property
    def tokens(self) -> set[str]:
        """The tokens that are somebody's."""
        return self.catalogue.tokens

    def add_model(self, name: str, files: Mapping[str, bytes | Path], **access: Any) -> Repository:
        """Add a model repository with one commit; ``access``: gated, private, readers."""
        return self._add(Repository("model", name, **access), files)

    def add_dataset(
        self, name: str, files: Mapping[str, bytes | Path], **access: Any
    ) -> Repository:
        """Add a dataset repository with one commit; ``access``: gated, private, readers."""
        return self._add(Repository("dataset", name, **access), files)

    def add_writer(self, token: str, *namespaces: str) -> None:
        """A token that may write to its user's repositories, named first, and organisations'."""
        self.catalogue.writers[token] = namespaces
        self.tokens.add(token)

    def dataset(self, name: str) -> Repository:
        """A dataset's repository, also one that a client made."""
        return self.catalogue.repositories["dataset", name]

    def environment(self, home: Path) -> dict[str, str]:
        """An environment for a subprocess: this Hub, its caches under ``home``, no token."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        return kept | {
            "HF_ENDPOINT": self.endpoint,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    def answer(self, request: Request) -> tuple[Answer, Fault | None]:
        """The answer to a request and the fault that strikes it, if any."""
        with self._lock:
            fault = next((fault for fault in self.faults if fault.hits(request)), None)
        if fault and fault.status:
            return Answer(fault.status, b"{}", fault.headers), fault
        with self._lock:
            written = answer_writing(self.catalogue, request)
        answer = written or self.catalogue.answer(request)
        if fault and fault.then:
            fault.then()
        return answer, fault

    def record(self, seen: Seen) -> None:
        with self._lock:
            self.requests.append(seen)

    def close(self) -> None:
        """Stop listening and break every open connection; later requests are refused."""
        self._server.shutdown()
        self._server.server_close()
        self._server.break_connections()
        self._thread.join()

    def __enter__(self) -> Hub:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _add(self, repository: Repository, files: Mapping[str, bytes | Path]) -> Repository:
        self.catalogue.tokens |= repository.readers
        repository.commit(files)
        self.catalogue.repositories[repository.kind, repository.name] = repository
        return repository


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    hub: Hub

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._connections: set[socket.socket] = set()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a client that was killed
            super().handle_error(request, client_address)

    def break_connections(self) -> None:
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """Bytes in and out: headers, ranges, faults."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def log_message(self, *_: Any) -> None:
        """Say nothing: requests are kept in ``Hub.requests``."""

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        request = Request(self.command, self.path, headers, body)
        answer, fault = self.server.hub.answer(request)
        if fault:
            time.sleep(fault.delay_s)
        status, start, end = _span(answer, headers.get("range"))
        seen = Seen(request.method, request.target, headers, status)
        self.server.hub.record(seen)
        try:
            if fault and fault.raw:
                self.wfile.write(fault.raw)
                self.close_connection = True
                return
            self._send_headers(answer, status, start, end)
            if request.method != "HEAD":
                self._send_body(answer, range(start, end), fault, seen)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _send_headers(self, answer: Answer, status: int, start: int, end: int) -> None:
        self.send_response(status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if status == 206 and answer.file:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{answer.file.size}")
        if status == 416 and answer.file:
            self.send_header("Content-Range", f"bytes */{answer.file.size}")
        self.send_header("Content-Length", str(end - start))
        self.end_headers()

    def _send_body(self, answer: Answer, span: range, fault: Fault | None, seen: Seen) -> None:
        """Send the bytes of the span, in blocks; break off where a fault says so."""
        limit = fault.cut_after if fault else None
        stop = span.stop if limit is None else min(span.stop, span.start + limit)
        trickle_s = fault.trickle_s if fault else 0.0
        block = 1024 if trickle_s else _BLOCK
        for at in range(span.start, stop, block):
            time.sleep(trickle_s)
            last = min(at + block, stop)
            # Counted before it is sent: whoever has received it may look at once.
            seen.sent += last - at
            self.wfile.write(answer.file.read(at, last) if answer.file else answer.body[at:last])
        if stop < span.stop:
            self._break(fault)

    def _break(self, fault: Fault | None) -> None:
        """End the connection in the middle of a body."""
        self.close_connection = True
        self.wfile.flush()
        time.sleep(fault.stall_s if fault else 0.0)
        if fault and fault.reset:
            never_linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, never_linger)
            self.connection.close()


def _span(answer: Answer, asked: str | None) -> tuple[int, int, int]:
    """Status and the bytes to send, from a ``Range`` header where the answer is a file."""
    if answer.file is None:
        return answer.status, 0, len(answer.body)
    size = answer.file.size
    match = _RANGE.fullmatch(asked or "")
    if not match or match.group(0) == "bytes=-":
        return answer.status, 0, size
    first, last = match.groups()
    if not first:
        return 206, max(0, size - int(last)), size
    if int(first) >= size:
        return 416, 0, 0
    return 206, int(first), min(size, int(last) + 1 if last else size)
