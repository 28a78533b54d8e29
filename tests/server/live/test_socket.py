"""``/live``: sound over a websocket, live events back."""

from __future__ import annotations

import asyncio
import io
import json
import threading
import time
from collections.abc import Iterator
from typing import Any, cast
from unittest.mock import MagicMock

import httpx2
import numpy as np
import pytest
import soundfile
from starlette.websockets import WebSocketDisconnect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from quest22.records import Samples
from quest22.server.live import socket as socket_module
from quest22.server.live.request import LiveRequest
from tests.support.logged_requests import logged_requests
from tests.support.recordings import recordings
from tests.support.running_server import RunningServer, running_server
from tests.support.schemas import check

BLOCK = 1600


@pytest.fixture(scope="module")
def sound() -> Samples:
    """Two sentences, and a pause behind each."""
    parts = recordings("en", 2)
    pause = np.zeros(12_000, np.float32)
    return np.concatenate([each for part in parts for each in (part, pause)])


def pcm(samples: Samples) -> bytes:
    return (samples * 32767).astype("<i2").tobytes()


def opened(server: RunningServer, query: str = "", **options: Any) -> ClientConnection:
    return connect(f"{server.websocket_url}/live{query}", open_timeout=60, **options)


def events(socket: ClientConnection) -> Iterator[dict[str, Any]]:
    try:
        while True:
            message = json.loads(socket.recv(timeout=60))
            check("live-message", message)
            yield message
    except ConnectionClosed:
        return


def said(found: list[dict[str, Any]]) -> str:
    return "".join(each["text"] for each in found if each["type"] == "final").strip()


@pytest.mark.parametrize(
    ("query", "data"),
    [
        ("?language=en", pcm),
        ("?format=f32le", lambda samples: samples.tobytes()),
        ("?rate=8000&format=s16le", lambda samples: pcm(samples[::2])),
        ("?channels=2", lambda samples: pcm(np.repeat(samples, 2))),
    ],
)
def test_speech_becomes_events(
    server: RunningServer, sound: Samples, query: str, data: Any
) -> None:
    encoded = data(sound)
    with opened(server, query) as socket:
        assert json.loads(socket.recv(timeout=60)) == {"type": "ready", "model": "nano"}
        for start in range(0, len(encoded), 3_001):  # frames are cut anywhere
            socket.send(encoded[start : start + 3_001])
        socket.send('{"type": "end"}')
        found = list(events(socket))
        assert socket.close_code == 1000
    assert found[-1]["type"] == "end"
    assert found[-1]["duration"] == pytest.approx(len(sound) / 16_000, abs=0.1)
    assert len(said(found).split()) > 5


def test_a_container_is_recognised(server: RunningServer, sound: Samples) -> None:
    file = io.BytesIO()
    soundfile.write(file, sound, 16_000, format="OGG", subtype="VORBIS")
    with opened(server, "?format=encoded") as socket:
        for start in range(0, len(file.getvalue()), 1_000):
            socket.send(file.getvalue()[start : start + 1_000])
        socket.send('{"type": "end"}')
        found = list(events(socket))
        assert socket.close_code == 1000
    assert len(said(found).split()) > 5


def test_what_is_no_sound_is_said(server: RunningServer) -> None:
    with logged_requests() as logged, opened(server, "?format=encoded") as socket:
        socket.send(b"no sound at all " * 500)
        socket.send('{"type": "end"}')
        found = list(events(socket))
        assert socket.close_code == 1011
        (context,) = logged.wait(1)
    assert found[-1]["type"] == "error"
    assert found[-1]["message"]
    assert (context.status, context.reason) == (1011, "unreadable_audio")


def test_who_sends_nothing_has_ended_its_sound(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(server, "?language=en") as socket:
        assert json.loads(socket.recv(timeout=60))["type"] == "ready"
        monkeypatch.setattr(socket_module, "IDLE_TIMEOUT_S", 0.3)
        socket.send(b"")
        assert list(events(socket))[-1]["type"] == "end"
        assert socket.close_code == 1000


def test_flush_makes_final_what_was_said(server: RunningServer) -> None:
    (part,) = recordings("en", 1)
    with opened(server) as socket:
        socket.send(pcm(part))
        socket.send('{"type": "flush"}')
        found = []
        for event in events(socket):
            found.append(event)
            if event["type"] == "final":
                break
        socket.send('{"type": "end"}')
        assert [each["type"] for each in events(socket)][-1] == "end"
    assert said(found)


@pytest.mark.parametrize("message", ["x", "[]", '{"type": "?"}', '{"type": 3}', "[" * 200_000])
def test_an_unknown_message_harms_nothing(server: RunningServer, message: str) -> None:
    with opened(server) as socket:
        socket.recv(timeout=60)
        socket.send(message)
        answer = json.loads(socket.recv(timeout=60))
        assert answer["type"] == "error"
        assert "keep_alive" in answer["message"]
        socket.send('{"type": "keep_alive"}')
        socket.send('{"type": "end"}')
        assert [each["type"] for each in events(socket)] == ["end"]


REFUSED = [
    ("?model=large", 404, "unknown_model", "nano"),
    ("?colour=red", 400, "bad_request", "language"),
    ("?format=mp3", 400, "bad_request", "encoded"),
    ("?rate=fast", 400, "bad_request", "number"),
    ("?rate=1", 400, "bad_request", "rate"),
    ("?language=klingon", 400, "bad_request", "klingon"),
    ("?endpoint_ms=soon", 400, "bad_request", "number"),
    (f"?prompt={'x' * 5000}", 400, "bad_request", "4000"),
]


@pytest.mark.parametrize(("query", "status", "reason", "word"), REFUSED)
def test_refused_at_the_handshake(
    server: RunningServer, query: str, status: int, reason: str, word: str
) -> None:
    with pytest.raises(InvalidStatus) as caught:
        opened(server, query)
    response = caught.value.response
    assert response.status_code == status
    fields = json.loads(response.body or b"")
    assert fields["reason"] == reason
    assert word in fields["error"]
    plain = httpx2.get(f"{server.url}/live{query}")
    assert (plain.status_code, plain.json()) == (status, fields)


def test_a_plain_request_is_told_that_there_is_room(server: RunningServer) -> None:
    assert httpx2.get(f"{server.url}/live").status_code == 426


def test_a_full_server_says_when_to_come_back() -> None:
    with running_server(max_live=1) as server, opened(server) as socket:
        with pytest.raises(InvalidStatus) as caught:
            opened(server)
        assert caught.value.response.status_code == 503
        assert int(caught.value.response.headers["Retry-After"]) >= 1
        plain = httpx2.get(f"{server.url}/live")
        assert plain.status_code == 503
        assert int(plain.headers["retry-after"]) >= 1
        socket.send('{"type": "end"}')
        assert [each["type"] for each in events(socket)] == ["ready", "end"]


def test_a_client_that_leaves_makes_room() -> None:
    with running_server(max_live=1) as server:
        for _ in range(3):
            with opened(server, "?format=encoded") as socket:
                socket.recv(timeout=60)
                socket.send(b"OggS")
            while httpx2.get(f"{server.url}/live").status_code != 426:
                pass


@pytest.mark.parametrize("samples", [16_000, 100])  # less than 10 ms waits for more, or the end
def test_numbers_that_are_no_sound_are_said_and_left_out(
    server: RunningServer, samples: int
) -> None:
    with opened(server, "?format=f32le") as socket:
        socket.send(np.full(samples, np.nan, "<f4").tobytes())
        socket.send('{"type": "end"}')
        found = list(events(socket))
        assert socket.close_code == 1000
    assert [each["type"] for each in found] == ["ready", *["error"] * (samples > 160), "end"]


def test_who_sends_what_nobody_expects_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: str) -> str:
        raise LookupError("not foreseen")

    monkeypatch.setattr(socket_module, "_message_type", fails)
    with running_server(max_live=1) as server, opened(server) as socket:
        socket.send("x")
        list(events(socket))
        deadline = time.monotonic() + 10
        while server.service.gate.count("live") and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not server.service.gate.count("live")


def test_who_goes_before_it_begins_leaves_no_thread() -> None:
    class Gone:
        async def send_text(self, _: str) -> None:
            raise WebSocketDisconnect(1006)

    async def talk() -> None:
        asked = LiveRequest(None, {}, None)
        session = MagicMock(key="live")
        opened_ = MagicMock(asked=asked, session=session)
        opened_.model.name = "nano"
        with pytest.raises(WebSocketDisconnect):
            await socket_module._Connection(cast("Any", Gone()), opened_, MagicMock()).run()

    before = threading.active_count()
    asyncio.run(talk())
    assert threading.active_count() == before


def test_the_subprotocol_is_echoed_and_the_key_is_not(server: RunningServer) -> None:
    with opened(server, subprotocols=["quest22", "quest22.key.secret"]) as socket:
        assert socket.subprotocol == "quest22"
