"""Websockets whose clients flood, bomb, never read or leave."""

from __future__ import annotations

import json
import random
import socket
import struct
import time
import zlib
from collections.abc import Iterator

from tests.support.abuse import wire
from tests.support.abuse.honest import LIVE, spoken, transcript
from tests.support.abuse.wire import BINARY, CLOSE, PING, TEXT, frame
from tests.support.server_process import ServerProcess

REALTIME = "/v1/realtime?intent=transcription&model=nano"
PATHS = (LIVE, REALTIME)
FLOOD_BYTES = 100_000_000

CLOSE_STREAM = frame(b'{"type": "CloseStream"}', TEXT)


def tiny_messages(server: ServerProcess, chance: random.Random) -> None:
    """Tens of thousands of messages of a byte or none, and others are served meanwhile."""
    with wire.websocket(server, LIVE) as each:
        for opcode, content in (
            (BINARY, b"\0"),
            (BINARY, b""),
            (TEXT, b'{"type": "KeepAlive"}'),
            (PING, b"a"),
        ):
            each.sendall(frame(content, opcode) * 5000)
        assert transcript(server, spoken()[chance.randrange(len(spoken()))].wav)
        each.sendall(CLOSE_STREAM)
        assert wire.is_closed(each, 60)


MESSAGES: dict[str, bytes] = {
    "lists in lists": b"[" * 200_000,
    "objects in objects": b'{"type":' * 100_000,
    "closed lists in lists": b'{"type": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "a number without end": b'{"type": ' + b"9" * 1_000_000 + b"}",
    "a large number": b'{"type": 1e999999999}',
    "no number": b'{"type": NaN}',
    "a key a million times": b"{" + b'"type": "a",' * 300_000 + b'"type": "b"}',
    "half a surrogate": b'{"type": "\\ud800"}',
    "no object": b'"session.update"',
    "null": b"null",
    "no JSON": b"no JSON",
    "nothing": b"",
    "a type that is a list": b'{"type": ["session.update"]}',
    "a type of a megabyte": json.dumps({"type": "a" * 1_000_000}).encode(),
    "settings that are lists": json.dumps(
        {"type": "session.update", "session": [[], {}], "event_id": {}}
    ).encode(),
    "settings of every kind": json.dumps(
        {
            "type": "session.update",
            "session": {"audio": {"input": {"format": 5, "turn_detection": []}}},
        }
    ).encode(),
    "sound that is none": b'{"type": "input_audio_buffer.append", "audio": "\\u0000***"}',
    "sound that is a number": b'{"type": "input_audio_buffer.append", "audio": 5}',
}


def json_bombs(server: ServerProcess, chance: random.Random) -> None:
    """Messages that are no sensible JSON: an error, or the end, but of this session alone."""
    del chance
    for path in PATHS:
        for name, message in MESSAGES.items():
            with wire.websocket(server, path) as each:
                each.sendall(frame(message, TEXT))
                each.sendall(CLOSE_STREAM + frame(struct.pack("!H", 1000), CLOSE))
                assert wire.is_closed(each, 30), (path, name)


def no_text(server: ServerProcess, chance: random.Random) -> None:
    """Text that is none, in one frame and cut within a character."""
    del chance
    for path in PATHS:
        for frames in (
            frame(b"\xff\xfe", TEXT),
            frame(b"\xc3", TEXT, last=False) + frame(b"(", 0),
        ):
            with wire.websocket(server, path) as each:
                each.sendall(frames)
                assert wire.is_closed(each)


def compressed_bombs(server: ServerProcess, chance: random.Random) -> None:
    """A megabyte that inflates to a gigabyte: nobody agreed to inflate it, or up to a limit."""
    del chance
    packer = zlib.compressobj(wbits=-15)
    bomb = b"".join(packer.compress(bytes(1 << 24)) for _ in range(64))
    bomb += packer.flush(zlib.Z_SYNC_FLUSH)
    for path in PATHS:
        for asked in ("permessage-deflate", "permessage-deflate; client_max_window_bits=15"):
            with wire.websocket(server, path, Sec_WebSocket_Extensions=asked) as each:
                _send(each, frame(bomb, BINARY, rsv1=True))
                assert wire.is_closed(each)


def wrong_frames(server: ServerProcess, chance: random.Random) -> None:
    """Frames that no client may send, or that never end."""
    del chance
    for path in PATHS:
        for name, frames in {
            "of an endless size": frame(b"a", size=2**63 - 1),
            "of a forbidden size": frame(b"a", size=2**64 - 1),
            "larger than allowed": frame(b"a", size=1 << 30),
            "not masked": b"\x82\x01a",
            "of no kind": frame(b"a", 5),
            "a ping of a kilobyte": frame(bytes(1024), PING),
            "a ping in pieces": frame(b"a", PING, last=False),
            "going on with nothing": frame(b"a", 0),
            "a close of one byte": frame(b"a", CLOSE),
            "a close with a code of no meaning": frame(struct.pack("!H", 5), CLOSE),
        }.items():
            with wire.websocket(server, path) as each:
                _send(each, frames)
                assert wire.is_closed(each), (path, name)


def endless_message(server: ServerProcess, chance: random.Random) -> None:
    """A message in so many pieces that its memory would never end."""
    del chance
    for path in PATHS:
        with wire.websocket(server, path) as each:
            piece = bytes(1 << 20)
            try:
                each.sendall(frame(piece, BINARY, last=False))
                for _ in range(300):
                    each.sendall(frame(piece, 0, last=False))
            except OSError:  # it has hung up
                continue
            assert wire.is_closed(each), path


def handshakes(server: ServerProcess, chance: random.Random) -> None:
    """Handshakes that are none, or ask for what is not here."""
    del chance
    for path in (*PATHS, "/v1/nowhere", "/health", "/v1/listen?model=" + "a" * 5000):
        for change in (
            {"Sec_WebSocket_Version": 7},
            {"Sec_WebSocket_Key": "short"},
            {"Sec_WebSocket_Protocol": ", ".join(["a"] * 300)},
            {"Origin": "https://evil.example"},
            {"Content_Length": 10**12},
        ):
            request = wire.handshake(path)
            for name, value in change.items():
                request = _changed(request, name.replace("_", "-"), str(value))
            with server.connect() as each:
                each.sendall(request)
                said = each.recv(1 << 16)
                assert b" 500 " not in said.split(b"\r\n")[0], (path, change, said)
                wire.vanish(each)


def leaving_sessions(server: ServerProcess, chance: random.Random) -> None:
    """Clients that leave in every stage of a session, politely or not."""
    pcm = spoken()[chance.randrange(len(spoken()))].pcm
    for path in PATHS:
        for stage in range(6):
            for leave in (wire.vanish, socket.socket.close):
                each = server.connect()
                for part in _stages(path, pcm, stage):
                    each.sendall(part)
                    time.sleep(chance.choice((0.0, 0.05, 0.2)))
                leave(each)


def _stages(path: str, pcm: bytes, stage: int) -> Iterator[bytes]:
    """What a client sends until some stage of a session."""
    asked = wire.handshake(path)
    sound = frame(pcm[:64_000])
    yield from (
        (asked[:40],),
        (asked,),
        (asked, sound[:1000]),
        (asked, sound),
        (asked, sound, frame(b'{"type": "Finalize"}', TEXT)),
        (asked, sound, CLOSE_STREAM),
    )[stage]


def silent_reader(server: ServerProcess, chance: random.Random) -> None:
    """A session whose client reads nothing: nothing piles up; in the end it has its whole text."""
    number = chance.randrange(len(spoken()))
    pcm = spoken()[number].pcm
    asked = LIVE + "&interim_results=true"
    with wire.websocket(server, asked, receive_bytes=1024) as each:
        for start in range(0, len(pcm), 3200):
            each.sendall(frame(pcm[start : start + 3200]))
        each.sendall(CLOSE_STREAM)
        assert transcript(server, spoken()[number].wav)
        time.sleep(2)
        assert wire.is_closed(each, 60)


UPDATE = frame(
    json.dumps(
        {"type": "session.update", "session": {"type": "transcription", "event_id": "a" * 100}}
    ).encode(),
    TEXT,
)


def unread_answers(server: ServerProcess, chance: random.Random) -> None:
    """Floods of what must be answered, by a client that reads no answer: nothing piles up."""
    sound = spoken()[chance.randrange(len(spoken()))].wav
    for path, message in (
        (LIVE, frame(bytes(125), PING)),
        (REALTIME, frame(bytes(125), PING)),
        (REALTIME, UPDATE),
        (REALTIME, frame(b"no JSON", TEXT)),
    ):
        with wire.websocket(server, path, receive_bytes=1024) as each:
            each.settimeout(3)
            _send(each, message * (FLOOD_BYTES // len(message)))
            assert transcript(server, sound)


def _changed(request: bytes, name: str, value: str) -> bytes:
    lines = [
        line
        for line in request.decode("latin-1").split("\r\n")
        if line and not line.lower().startswith(f"{name.lower()}:")
    ]
    return "\r\n".join([*lines, f"{name}: {value}", "", ""]).encode("latin-1")


def _send(each: socket.socket, data: bytes) -> None:
    try:
        each.sendall(data)
    except OSError:  # it has hung up already
        return
