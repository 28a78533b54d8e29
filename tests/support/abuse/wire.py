"""Bytes to and from a server: requests, forms and frames, as right or as wrong as is asked."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any

from tests.support.server_process import ServerProcess

BOUNDARY = "a-boundary"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
TRANSCRIPTIONS = "/v1/audio/transcriptions"

TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9
"""Opcodes of websocket frames (RFC 6455, section 5.2)."""


@dataclass(frozen=True)
class Answer:
    """What a server said; ``status`` 0: it closed the connection instead."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def refused(self) -> bool:
        """It said no, in the client's terms, or hung up."""
        return self.status == 0 or 400 <= self.status < 500 or self.status == 503

    def json(self) -> Any:
        return json.loads(self.body)


GONE = Answer(0, {}, b"")


def head(method: str, path: str, **headers: object) -> bytes:
    """The first lines of a request; ``_`` in names stands for ``-``."""
    given = {"Host": "localhost", **{k.replace("_", "-"): v for k, v in headers.items()}}
    lines = [f"{method} {path} HTTP/1.1", *(f"{key}: {value}" for key, value in given.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


def field(name: str, value: str | bytes, **parameters: str) -> bytes:
    """A part of a form."""
    named = {"name": name, **parameters}
    disposition = "".join(f'; {key}="{text}"' for key, text in named.items())
    content = value.encode() if isinstance(value, str) else value
    start = f"--{BOUNDARY}\r\nContent-Disposition: form-data{disposition}\r\n\r\n"
    return start.encode() + content + b"\r\n"


def form(sound: bytes, filename: str = "a.wav", **fields: str) -> bytes:
    """A form with a recording at its end."""
    parts = [field(key, value) for key, value in {"model": "nano", **fields}.items()]
    return b"".join([*parts, field("file", sound, filename=filename), END])


END = f"--{BOUNDARY}--\r\n".encode()


def upload(sound: bytes, filename: str = "a.wav", **fields: str) -> bytes:
    """A whole request for a transcript."""
    body = form(sound, filename, **fields)
    return posted(body)


def posted(body: bytes, content_type: str = FORM, path: str = TRANSCRIPTIONS) -> bytes:
    """A whole request with a body."""
    return head("POST", path, Content_Type=content_type, Content_Length=len(body)) + body


def answer_to(server: ServerProcess, request: bytes, timeout_s: float = 60) -> Answer:
    """Send bytes on a connection of their own; what comes back."""
    with server.connect(timeout_s) as wire:
        with suppress(OSError):  # it has refused, and closed: the answer may have come all the same
            wire.sendall(request)
        return read_answer(wire)


def read_answer(wire: socket.socket) -> Answer:
    """The next answer of a connection."""
    answer = HTTPResponse(wire)
    try:
        answer.begin()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    except (ConnectionError, HTTPException):
        return GONE
    finally:
        answer.close()


def vanish(wire: socket.socket) -> None:
    """Leave without a word: what the server sends from now on is answered by a reset."""
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()


def is_closed(wire: socket.socket, timeout_s: float = 30) -> bool:
    """Whether the server ends the connection; what it says until then is read and dropped."""
    wire.settimeout(timeout_s)
    try:
        while wire.recv(1 << 16):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def handshake(path: str, **headers: object) -> bytes:
    """The request for a websocket."""
    key = base64.b64encode(os.urandom(16)).decode()
    asked = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": 13}
    return head("GET", path, **asked, Sec_WebSocket_Key=key, **headers)


def frame(
    content: bytes, opcode: int = BINARY, *, last: bool = True, rsv1: bool = False, size: int = -1
) -> bytes:
    """A masked frame; ``size`` is what it says of itself, if not the truth."""
    stated = len(content) if size < 0 else size
    first = (last << 7) | (rsv1 << 6) | opcode
    if stated < 126:
        start = struct.pack("!BB", first, 0x80 | stated)
    elif stated < 1 << 16:
        start = struct.pack("!BBH", first, 0x80 | 126, stated)
    else:
        start = struct.pack("!BBQ", first, 0x80 | 127, stated)
    return start + bytes(4) + content  # a mask of zeros leaves the content as it is


@contextmanager
def websocket(
    server: ServerProcess, path: str, receive_bytes: int | None = None, **headers: object
) -> Iterator[socket.socket]:
    """A bare connection after the handshake, which must succeed."""
    with server.connect(receive_bytes=receive_bytes) as wire:
        wire.sendall(handshake(path, **headers))
        said = b""
        while b"\r\n\r\n" not in said:
            piece = wire.recv(1)  # not a byte of what follows
            assert piece, f"no websocket: {said!r}"
            said += piece
        assert b" 101 " in said.split(b"\r\n")[0], said
        yield wire
