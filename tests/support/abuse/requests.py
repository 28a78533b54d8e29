"""Requests that are too slow, too large, or none."""

from __future__ import annotations

import json
import random
import socket
import time
from contextlib import ExitStack, suppress

from tests.support.abuse import wire
from tests.support.abuse.honest import spoken, transcript
from tests.support.server_process import ServerProcess

SLOW_CLIENTS, SLOW_S = 24, 3
"""So many clients send a byte a second, for so many seconds, before they leave."""


def slow_headers(server: ServerProcess, chance: random.Random) -> None:
    """Headers that come a byte a second."""
    _slowly(server, wire.head("POST", wire.TRANSCRIPTIONS, Content_Type=wire.FORM), chance)


def slow_bodies(server: ServerProcess, chance: random.Random) -> None:
    """Recordings that come a byte a second."""
    sound = spoken()[0].wav
    request = wire.upload(sound)
    begun = request.index(b"RIFF") + chance.randrange(100)
    _slowly(server, request[begun:], chance, request[:begun])


def _slowly(server: ServerProcess, rest: bytes, chance: random.Random, begin: bytes = b"") -> None:
    sound = spoken()[chance.randrange(len(spoken()))].wav
    with ExitStack() as stack:
        wires = [stack.enter_context(server.connect()) for _ in range(SLOW_CLIENTS)]
        for each in wires:
            each.sendall(begin)
        for second in range(SLOW_S):
            for each in wires:
                each.sendall(rest[second : second + 1])
            if second == 0:
                assert transcript(server, sound)
            time.sleep(1)


def piecemeal(server: ServerProcess, chance: random.Random) -> None:
    """A recording that comes in pieces of any size, with pauses, is heard whole."""
    sound = spoken()[chance.randrange(len(spoken()))].wav
    expected = transcript(server, sound)
    request = wire.upload(sound, language="en")
    with server.connect(120) as each:
        while request:
            cut = chance.choice((1, 2, 100, 5_000, 100_000))
            each.sendall(request[:cut])
            request = request[cut:]
            time.sleep(chance.choice((0.0, 0.0, 0.02)))
        assert wire.read_answer(each).json()["text"] == expected


HEADERS = {
    "a line without end": b"GET / HTTP/1.1\r\nX: " + b"a" * 2_000_000,
    "an address without end": b"GET /" + b"a" * 2_000_000 + b" HTTP/1.1\r\n\r\n",
    "thousands of lines": b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 20_000 + b"\r\n",
    "NUL": b"GET / HTTP/1.1\r\nX: a\0b\r\n\r\n",
    "no name": b"GET / HTTP/1.1\r\n: a\r\n\r\n",
    "a folded line": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "two lengths": wire.head("POST", "/v1/audio/transcriptions")[:-2]
    + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    "a negative length": wire.head("POST", wire.TRANSCRIPTIONS, Content_Length=-1),
    "a length of words": wire.head("POST", wire.TRANSCRIPTIONS, Content_Length="many"),
    "a length without end": wire.head("POST", wire.TRANSCRIPTIONS, Content_Length="9" * 5000),
    "a length and chunks": wire.head(
        "POST", wire.TRANSCRIPTIONS, Content_Length=5, Transfer_Encoding="chunked"
    )
    + b"0\r\n\r\nGET /health HTTP/1.1\r\n\r\n",
    "a chunk without end": wire.head(
        "POST", wire.TRANSCRIPTIONS, Transfer_Encoding="chunked", Content_Type=wire.FORM
    )
    + b"f" * 5000
    + b"\r\n",
    "a chunk of no size": wire.head(
        "POST", wire.TRANSCRIPTIONS, Transfer_Encoding="chunked", Content_Type=wire.FORM
    )
    + b"xyz\r\n\r\n",
    "another encoding": wire.head(
        "POST", wire.TRANSCRIPTIONS, Transfer_Encoding="gzip", Content_Type=wire.FORM
    ),
    "TLS": bytes.fromhex("16030100c8010000c40303") + bytes(200),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(50),
    "another protocol": b"\xff\xfe\x00" * 1000 + b"\r\n\r\n",
    "an empty line": b"\r\n" * 10_000,
}
"""Name → bytes after which the server hangs up, or says what is wrong with them."""


def header_bombs(server: ServerProcess, chance: random.Random) -> None:
    """Heads of requests that are none; from the server's side none is its own fault."""
    del chance
    for name, request in HEADERS.items():
        with server.connect(40) as each:
            _send(each, request)
            with suppress(OSError):  # it has hung up already
                each.shutdown(socket.SHUT_WR)
            answer = wire.read_answer(each)
        assert answer.status < 500, (name, answer)
        if name in ("a folded line", "two hosts", "an empty line"):
            continue  # old, or harmless
        assert answer.refused, (name, answer)


def header_names(server: ServerProcess, chance: random.Random) -> None:
    """Headers of requests that are right, with values that no client should send."""
    del chance
    for name, value in (
        ("Authorization", "Bearer " + "a" * 10_000),
        ("Authorization", "Basic ====="),
        ("X-Forwarded-For", "1.2.3.4, " * 500),
        ("X-Request-Id", "a\tb" * 100),
        ("Content-Type", "multipart/form-data; boundary=" + "b" * 5000),
        ("Accept-Language", "q=" * 3000),
    ):
        request = wire.head("GET", "/v1/models", **{name.replace("-", "_"): value})
        assert wire.answer_to(server, request).status in (200, 400, 401, 403, 431), name


def idle_connections(server: ServerProcess, chance: random.Random) -> None:
    """Hundreds of connections that say nothing."""
    with ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(server.connect())
        assert transcript(server, spoken()[chance.randrange(len(spoken()))].wav)


def pipelined(server: ServerProcess, chance: random.Random) -> None:
    """A hundred requests in one piece are answered in their order, or up to a point."""
    del chance
    with server.connect() as each:
        each.sendall(wire.head("GET", "/v1/models") * 100)
        each.shutdown(socket.SHUT_WR)
        said = b""
        while piece := each.recv(1 << 16):
            said += piece
    assert 1 <= said.count(b"HTTP/1.1 200") <= 100


def leaving_uploads(server: ServerProcess, chance: random.Random) -> None:
    """Clients that leave in every stage of an upload, politely or not."""
    request = wire.upload(spoken()[chance.randrange(len(spoken()))].wav, stream="true")
    sound = request.index(b"RIFF")
    stages = (0, 10, sound - 300, sound - 10, sound, sound + 20, (sound + len(request)) // 2)
    for cut in (*stages, len(request) - 4, len(request)):
        for leave in (wire.vanish, socket.socket.close, _half_closed):
            each = server.connect()
            each.sendall(request[:cut])
            time.sleep(chance.choice((0.0, 0.05, 0.3)))
            if cut == len(request) and chance.random() < 0.5:
                each.recv(1)  # in the middle of the answer
            leave(each)


def unread_events(server: ServerProcess, chance: random.Random) -> None:
    """A client that reads none of its events for a while has all of them in the end."""
    sound = spoken()[chance.randrange(len(spoken()))].wav
    expected = transcript(server, sound)
    with server.connect(120, receive_bytes=1024) as each:
        each.sendall(wire.upload(sound, language="en", stream="true"))
        assert transcript(server, sound) == expected
        time.sleep(2)
        answer = wire.read_answer(each)
    lines = [line[5:] for line in answer.body.decode().splitlines() if line.startswith("data:")]
    events = [json.loads(line) for line in lines if line.strip() != "[DONE]"]
    assert events[-1]["type"] == "transcript.text.done", events
    assert events[-1]["text"] == expected
    assert "".join(one.get("delta", "") for one in events) == expected


def _half_closed(each: socket.socket) -> None:
    each.shutdown(socket.SHUT_WR)
    time.sleep(0.1)
    each.close()


def _send(each: socket.socket, request: bytes) -> None:
    try:
        each.sendall(request)
    except OSError:  # it has hung up already
        return
