"""Realtime transcription over a websocket, with nano and nothing of OpenAI's between."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.support.logged_requests import logged_requests
from tests.support.recordings import NANO_IS_HERE
from tests.support.running_server import RunningServer, running_server
from tests.support.talks import companded, share_right, talk

pytestmark = pytest.mark.skipif(not NANO_IS_HERE, reason="nano is not built")

PIECE = 4_800
"""0.1 s of 16-bit samples at 24 kHz."""

ANSWER_S = 300
"""How long a busy machine may take."""

EN = {"transcription": {"model": "whisper-1", "language": "en"}}
DELTA, COMPLETED = (
    f"conversation.item.input_audio_transcription.{each}" for each in ("delta", "completed")
)


class Client:
    """A client that reads what comes."""

    def __init__(self, websocket: ClientConnection) -> None:
        self.websocket = websocket
        self.events: list[dict[str, Any]] = []

    def send(self, kind: str, **fields: Any) -> None:
        self.websocket.send(json.dumps({"type": kind, **fields}))

    def append(self, data: bytes) -> None:
        audio = base64.b64encode(data).decode()
        self.send("input_audio_buffer.append", audio=audio)

    def speak(self, data: bytes, piece: int = PIECE) -> None:
        for start in range(0, len(data), piece):
            self.append(data[start : start + piece])

    def update(self, **given: Any) -> None:
        session = {"type": "transcription", "audio": {"input": given}}
        self.send("session.update", session=session)

    def until(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """Read events until so many of a type have come; those."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            event = json.loads(self.websocket.recv(timeout=ANSWER_S))
            self.events.append(event)
            assert event["type"] != "error", event
            found += [event] if event["type"] == kind else []
        return found

    def flood(self, text: str) -> None:
        """Send a message, and read until the server closes."""
        self.websocket.send(text)
        self.until("nothing")

    @property
    def types(self) -> list[str]:
        return [each["type"] for each in self.events]


@contextmanager
def opened(
    server: RunningServer, query: str = "intent=transcription", **more: Any
) -> Iterator[Client]:
    address = f"{server.websocket_url}/v1/realtime?{query}"
    with connect(address, max_size=None, **more) as websocket:
        client = Client(websocket)
        client.until(
            "transcription_session.created" if "additional_headers" in more else "session.created"
        )
        yield client


def test_speech_becomes_turns_and_their_deltas_are_their_text(server: RunningServer) -> None:
    said = talk()
    with opened(server) as client:
        client.update(**EN)
        client.speak(said.pcm())
        completed = client.until(COMPLETED, 3)
    text = " ".join(each["transcript"] for each in completed)
    assert share_right(text, said) > 0.8
    for each in completed:
        deltas = [
            event["delta"]
            for event in client.events
            if event["type"] == DELTA and event["item_id"] == each["item_id"]
        ]
        assert "".join(deltas) == each["transcript"]
    starts = [each["audio_start_ms"] for each in client.events if "audio_start_ms" in each]
    ends = [each["audio_end_ms"] for each in client.events if "audio_end_ms" in each]
    assert sorted(starts + ends) == [
        place for turn in zip(starts, ends, strict=True) for place in turn
    ]
    assert len({each["event_id"] for each in client.events}) == len(client.events)


def test_words_come_while_somebody_speaks(server: RunningServer) -> None:
    said = talk(8, pause_s=0.05)
    with opened(server) as client:
        client.update(**EN, turn_detection=None)
        client.speak(said.pcm())
        client.until(DELTA, 2)
        assert "input_audio_buffer.committed" not in client.types
        client.send("input_audio_buffer.commit")
        (completed,) = client.until(COMPLETED)
    assert share_right(completed["transcript"], said) > 0.8
    deltas = [each["delta"] for each in client.events if each["type"] == DELTA]
    assert "".join(deltas) == completed["transcript"]
    assert not {"input_audio_buffer.speech_started"} & set(client.types)


@pytest.mark.parametrize("name", ["audio/pcmu", "audio/pcma"])
def test_sound_of_telephones(server: RunningServer, name: str) -> None:
    said = talk()
    data = companded(said.pcm(8_000), {"audio/pcmu": "mulaw", "audio/pcma": "alaw"}[name])
    with opened(server) as client:
        client.update(**EN, format={"type": name})
        client.speak(data, 800)
        text = " ".join(each["transcript"] for each in client.until(COMPLETED, 3))
    assert share_right(text, said) > 0.6


def test_the_beta(server: RunningServer) -> None:
    said = talk(1)
    headers = {"OpenAI-Beta": "realtime=v1"}
    with opened(server, additional_headers=headers) as client:
        client.send(
            "transcription_session.update",
            session={
                "input_audio_format": "pcm16",
                "input_audio_transcription": {"model": "gpt-4o-transcribe", "language": "en"},
                "turn_detection": {"type": "server_vad", "silence_duration_ms": 400},
            },
        )
        client.until("transcription_session.updated")
        client.speak(said.pcm())
        (completed,) = client.until(COMPLETED)
    assert share_right(completed["transcript"], said) > 0.5
    assert "conversation.item.created" in client.types
    assert "conversation.item.added" not in client.types


def test_a_key_among_the_subprotocols_is_never_answered(server: RunningServer) -> None:
    offered = [Subprotocol(each) for each in ("realtime", "openai-insecure-api-key.sk-x")]
    with opened(server, subprotocols=offered) as client:
        assert client.websocket.subprotocol == "realtime"


REFUSED = [("model=large", 404, "model_not_found")]


@pytest.mark.parametrize(("query", "status", "code"), REFUSED)
def test_refusals_come_with_a_status_and_openais_error(
    server: RunningServer, query: str, status: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(InvalidStatus) as raised:
        connect(f"{server.websocket_url}/v1/realtime?{query}")
    response = raised.value.response
    assert response.status_code == status
    assert json.loads(response.body)["error"]["code"] == code
    assert not [each for each in caplog.records if each.name == "uvicorn.error"]


def test_more_sessions_than_there_may_be_are_refused_at_the_handshake() -> None:
    with running_server(max_live=1) as server, opened(server):
        with pytest.raises(InvalidStatus) as raised:
            connect(f"{server.websocket_url}/v1/realtime")
        assert raised.value.response.status_code == 503
        assert "Retry-After" in raised.value.response.headers


def test_a_client_that_goes_is_forgotten(server: RunningServer) -> None:
    with opened(server) as client:
        client.speak(talk().pcm())
    deadline = time.monotonic() + 30
    while server.service.gate.count("live"):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_server_that_ends_sends_the_last_text_first() -> None:
    said = talk(1)
    running = running_server()
    server = running.__enter__()
    ending = threading.Thread(target=running.__exit__, args=(None, None, None))
    with opened(server) as client:
        client.update(**EN)
        client.speak(said.pcm()[: -24_000 * 2])
        client.until("input_audio_buffer.speech_started")
        ending.start()
        (completed,) = client.until(COMPLETED)
        with pytest.raises(ConnectionClosed) as raised:
            client.until("nothing")
    ending.join()
    assert raised.value.rcvd is not None
    assert raised.value.rcvd.code == 1012
    assert share_right(completed["transcript"], said) > 0.5


def test_a_client_that_sends_nothing_is_told_that_its_session_has_ended() -> None:
    said = talk(1)
    with (
        running_server(session_idle_s=3.0) as server,
        logged_requests() as logged,
        opened(server) as client,
    ):
        client.update(**EN)
        client.speak(said.pcm()[: -24_000 * 2])
        client.until(COMPLETED)
        error = json.loads(client.websocket.recv(timeout=ANSWER_S))["error"]
        assert error["code"] == "session_expired"
        assert "nothing came for 3.0 s" in error["message"]
        with pytest.raises(ConnectionClosed) as raised:
            client.until("nothing")
        (context,) = logged.wait(1)
    assert raised.value.rcvd is not None
    assert raised.value.rcvd.code == 1001
    assert (context.status, context.reason) == (1001, "stalled")


def test_a_message_that_is_too_long_ends_its_connection_alone(server: RunningServer) -> None:
    with opened(server) as other:
        with opened(server) as client, pytest.raises(ConnectionClosed):
            client.flood("x" * (25 << 20))
        other.update(**EN)
        other.until("session.updated")


def test_fifteen_mebibytes_at_once_are_taken(server: RunningServer) -> None:
    with opened(server) as client:
        client.update(**EN)
        client.append(bytes(15 << 20))
        client.send("input_audio_buffer.commit")
        (completed,) = client.until(COMPLETED)
        assert completed["transcript"] == ""
        assert completed["usage"]["seconds"] == pytest.approx((15 << 20) / 48_000, abs=0.1)


def test_floods_of_tiny_messages_do_not_keep_others_from_being_served(
    server: RunningServer,
) -> None:
    said = talk(1)
    with opened(server) as flood, opened(server) as client:
        stop = threading.Event()

        def send() -> None:
            while not stop.is_set():
                flood.append(b"\0\0")

        sender = threading.Thread(target=send)
        sender.start()
        try:
            client.update(**EN)
            client.speak(said.pcm())
            (completed,) = client.until(COMPLETED)
        finally:
            stop.set()
            sender.join()
        assert share_right(completed["transcript"], said) > 0.5


def test_a_client_secret_opens_a_session(server: RunningServer) -> None:
    session = {"type": "transcription", "audio": {"input": {"turn_detection": None, **EN}}}
    made = httpx2.post(f"{server.url}/v1/realtime/client_secrets", json={"session": session})
    protocols = [Subprotocol(f"openai-insecure-api-key.{made.json()['value']}")]
    address = f"{server.websocket_url}/v1/realtime"
    with connect(address, subprotocols=[Subprotocol("realtime"), *protocols]) as websocket:
        created = json.loads(websocket.recv(timeout=ANSWER_S))
    assert created["session"]["audio"]["input"]["turn_detection"] is None
    assert created["session"]["audio"]["input"]["transcription"]["language"] == "en"
    with pytest.raises(InvalidStatus, match="401"):
        connect(address, subprotocols=[Subprotocol("openai-insecure-api-key.ek_unknown")])
