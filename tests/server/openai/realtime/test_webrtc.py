"""WebRTC as a client sees it: HTTP, then sound and events; speech becomes text."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from quest22.server.access.keys import new_key
from tests.support.recordings import NANO_IS_HERE, recordings
from tests.support.running_server import RunningServer, running_server
from tests.support.webrtc_client import (
    Exchange,
    SpokenTrack,
    WebRtcClient,
    webrtc_client,
)

SESSION = {
    "type": "transcription",
    "audio": {
        "input": {
            "transcription": {"model": "whisper-1", "language": "en"},
            "turn_detection": {"type": "server_vad", "silence_duration_ms": 400},
        }
    },
}
COMPLETED = "conversation.item.input_audio_transcription.completed"
DELTA = "conversation.item.input_audio_transcription.delta"

LIST_FOR_SESSION = (
    b'--x\r\nContent-Disposition: form-data; name="sdp"\r\n\r\nv=0\r\n--x\r\n'
    b'Content-Disposition: form-data; name="session"\r\n\r\n[]\r\n--x--\r\n'
)

SILENCE = np.zeros(1000, np.float32)

needs_nano = pytest.mark.skipif(not NANO_IS_HERE, reason="nano's samples are not here")


def secret(server: RunningServer, **more: Any) -> dict[str, Any]:
    answer = httpx2.post(
        f"{server.url}/v1/realtime/client_secrets", json={"session": SESSION, **more}
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


class Line:
    """How a client calls; ``location`` is where its call is."""

    def __init__(self, server: RunningServer, form: str) -> None:
        self.server = server
        self.form = form
        self.location = ""

    async def exchange(self, offer: str) -> str:
        async with httpx2.AsyncClient(base_url=self.server.url, timeout=60) as http:
            answer = await http.post(**self._request(offer))
        assert answer.status_code == 201, answer.text
        assert answer.headers["content-type"] == "application/sdp"
        self.location = answer.headers["location"]
        return answer.text

    def _request(self, offer: str) -> dict[str, Any]:
        kind = {"Content-Type": "application/sdp"}
        if self.form == "client secret":
            key = {"Authorization": f"Bearer {secret(self.server)['value']}"}
            return {"url": "/v1/realtime/calls", "content": offer, "headers": kind | key}
        if self.form == "multipart":
            import json

            parts = {
                "sdp": (None, offer, "application/sdp"),
                "session": (None, json.dumps(SESSION)),
            }
            return {"url": "/v1/realtime/calls", "files": parts}
        return {"url": "/v1/realtime?model=whisper-1", "content": offer, "headers": kind}


async def speak(
    exchange: Exchange, track: SpokenTrack, talk: Callable[[WebRtcClient], Awaitable[None]]
) -> list[dict[str, Any]]:
    async with webrtc_client(exchange, track) as client:
        await talk(client)
        return client.events


def texts(events: list[dict[str, Any]]) -> str:
    return " ".join(event["transcript"] for event in events if event["type"] == COMPLETED)


@needs_nano
@pytest.mark.parametrize("form", ["client secret", "multipart", "beta"])
def test_speech_becomes_text(server: RunningServer, form: str) -> None:
    sound = recordings("en", 1, longest_s=6)[0]
    line = Line(server, form)

    async def talk(client: WebRtcClient) -> None:
        await client.wait_for(COMPLETED)

    events = asyncio.run(speak(line.exchange, SpokenTrack(sound), talk))
    kinds = [event["type"] for event in events]
    assert kinds[0] == "session.created"
    assert DELTA in kinds
    assert len(texts(events).split()) >= 3
    input_ = events[0]["session"]["audio"]["input"]
    expected = 400 if form != "beta" else 500
    assert input_["turn_detection"]["silence_duration_ms"] == expected


@needs_nano
def test_a_call_is_hung_up(server: RunningServer) -> None:
    line = Line(server, "client secret")
    key = {"Authorization": "Bearer anything"}

    async def talk(client: WebRtcClient) -> None:
        await client.wait_for("session.created")
        async with httpx2.AsyncClient(base_url=server.url, headers=key) as http:
            assert (await http.post(line.location + "x/hangup")).status_code == 404
            assert (await http.post(line.location + "/hangup")).status_code == 200
            await asyncio.wait_for(client.closed.wait(), 10)
            again = await http.delete(line.location)
        assert again.status_code == 404
        assert again.json()["error"]["type"] == "invalid_request_error"

    asyncio.run(speak(line.exchange, SpokenTrack(recordings("en", 1)[0]), talk))


def test_a_client_secret_is_told_with_its_session(server: RunningServer) -> None:
    found = secret(server, expires_after={"anchor": "created_at", "seconds": 20})
    session = found["session"]
    assert found["value"].startswith("ek_")
    assert session["id"].startswith("sess_")
    assert session["object"] == "realtime.transcription_session"
    assert session["type"] == "transcription"
    assert session["audio"]["input"]["transcription"] == {"model": "whisper-1", "language": "en"}


@pytest.mark.parametrize("name", ["transcription_sessions", "sessions"])
def test_a_client_secret_of_the_beta(server: RunningServer, name: str) -> None:
    body = {"input_audio_format": "g711_ulaw", "input_audio_transcription": {"model": "whisper-1"}}
    found = httpx2.post(f"{server.url}/v1/realtime/{name}", json=body).json()
    assert found["client_secret"]["value"].startswith("ek_")
    assert found["input_audio_format"] == "g711_ulaw"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ('{"session": 7}', "session"),
        ("[]", "body"),
        ("{", "body"),
        ("[" * 30_000, "body"),
        ('{"expires_after": {"seconds": 5}}', "expires_after.seconds"),
        ('{"expires_after": {"seconds": true}}', "expires_after.seconds"),
        ('{"expires_after": {"anchor": "now"}}', "expires_after.anchor"),
        (
            '{"session": {"audio": {"input": {"turn_detection": {"threshold": 9}}}}}',
            "session.audio.input.turn_detection.threshold",
        ),
        ('{"session": {"audio": {"input": {"transcription": {"model": "no-such"}}}}}', "model"),
        (" " * 70_000, None),
    ],
)
def test_what_cannot_be_a_client_secret(
    server: RunningServer, body: str, param: str | None
) -> None:
    answer = httpx2.post(f"{server.url}/v1/realtime/client_secrets", content=body)
    assert answer.status_code in (400, 404)
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["param"] == param


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        ("application/sdp", b"garbage", "begins with v=0"),
        ("application/sdp", b"v=0\r\n", "no audio"),
        ("application/sdp", b"v=0\r\n" + b"a" * 70_000, "bytes"),
        ("application/json", b"{}", "expected application/sdp"),
        ("multipart/form-data; boundary=x", b"--x--\r\n", "sdp is missing"),
        ("multipart/form-data; boundary=x", b"nonsense", "the form cannot be parsed"),
        ("multipart/form-data", b"--x--", "multipart"),
        ("multipart/form-data; boundary=x", b"--x\r\n", "incomplete"),
        (
            "multipart/form-data; boundary=x",
            LIST_FOR_SESSION,
            "expected a JSON object",
        ),
    ],
)
def test_what_cannot_be_a_call(server: RunningServer, kind: str, body: bytes, told: str) -> None:
    headers = {"Content-Type": kind}
    answer = httpx2.post(f"{server.url}/v1/realtime/calls", content=body, headers=headers)
    assert answer.status_code == 400, answer.text
    assert told in answer.json()["error"]["message"]


def test_a_client_secret_counts_for_its_key(tmp_path: Path) -> None:
    desk, kiosk = (new_key(tmp_path / "keys.json", name) for name in ("desk", "kiosk"))

    def with_key(key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {key}"}

    async def run(url: str) -> None:
        async with httpx2.AsyncClient(base_url=f"{url}/v1/realtime", timeout=60) as http:
            assert (await http.post("/client_secrets")).status_code == 401
            made = await http.post("/client_secrets", headers=with_key(desk))
            value = made.json()["value"]
            assert (await http.post("/client_secrets", headers=with_key(value))).status_code == 401

            async def call(key: str, offer: str) -> httpx2.Response:
                kind = {"Content-Type": "application/sdp"}
                return await http.post("/calls", content=offer, headers=with_key(key) | kind)

            async def exchange(offer: str) -> str:
                answer = await call(value, offer)
                again = await call(desk, offer)
                assert again.status_code == 429, "one call at once, whichever way"
                other = await call(kiosk, offer)
                place = "/calls/" + other.headers["location"].rpartition("/")[2]
                assert (await http.delete(place, headers=with_key(value))).status_code == 404
                assert (await http.delete(place, headers=with_key(kiosk))).status_code == 200
                return answer.text

            async with webrtc_client(exchange, SpokenTrack(SILENCE)) as client:
                await client.wait_for("session.created")

    with running_server(keys=tmp_path / "keys.json", max_live_each=1) as server:
        asyncio.run(run(server.url))


def test_an_old_secret(server: RunningServer) -> None:
    headers = {"Content-Type": "application/sdp", "Authorization": "Bearer ek_unknown"}
    answer = httpx2.post(f"{server.url}/v1/realtime/calls", content=b"v=0", headers=headers)
    assert answer.status_code == 401
    answer = httpx2.post(f"{server.url}/v1/realtime/client_secrets", headers=headers)
    assert answer.status_code == 401
