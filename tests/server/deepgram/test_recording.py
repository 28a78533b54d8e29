"""``POST /v1/listen`` from outside."""

from __future__ import annotations

import io
import json
import os
import time
import wave
from contextlib import ExitStack
from hashlib import sha256
from typing import Any

import httpx2
import numpy as np
import pytest
import soundfile
from websockets.sync.client import connect

from quest22.capture.raw_pcm import RawFormat
from quest22.records import SAMPLE_RATE_HZ, Samples
from quest22.server.deepgram.file_headers import UNKNOWN, missing_header, wav_header
from quest22.server.deepgram.parameters import AudioFormat
from tests.server.deepgram.listening import pcm, speech
from tests.support.forms import slow_client
from tests.support.recordings import NANO_IS_HERE
from tests.support.running_server import RunningServer, running_server

needs_nano = pytest.mark.skipif(not NANO_IS_HERE, reason="needs the bundled model")
RAW = "encoding=linear16&sample_rate=16000"


@pytest.fixture(scope="module")
def sound() -> Samples:
    return speech()


def flac(sound: Samples) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound, SAMPLE_RATE_HZ, format="FLAC")
    return file.getvalue()


def post(server: RunningServer, query: str, content: Any, **headers: str) -> httpx2.Response:
    return httpx2.post(
        f"{server.url}/v1/listen?{query}",
        content=content,
        headers={"Authorization": "Token key", **headers},
        timeout=300,
    )


def text(answer: httpx2.Response, channel: int = 0) -> str:
    found = answer.json()["results"]["channels"][channel]["alternatives"][0]["transcript"]
    return str(found)


@needs_nano
def test_a_recording(server: RunningServer, sound: Samples) -> None:
    data = flac(sound)
    answer = post(server, "smart_format=true&utterances=true&tag=t", data)
    assert answer.status_code == 200
    found = answer.json()
    metadata, channel = found["metadata"], found["results"]["channels"][0]
    assert metadata["sha256"] == sha256(data).hexdigest()
    assert metadata["duration"] == pytest.approx(len(sound) / SAMPLE_RATE_HZ, abs=0.01)
    assert metadata["request_id"] == answer.headers["dg-request-id"]
    assert (metadata["channels"], metadata["tags"]) == (1, ["t"])
    (uuid,) = metadata["models"]
    assert metadata["model_info"][uuid]["name"] == "nano"
    words = channel["alternatives"][0]["words"]
    assert len(words) >= 6
    assert text(answer) == " ".join(word["punctuated_word"] for word in words)
    assert channel["alternatives"][0]["paragraphs"]["paragraphs"]
    assert len(found["results"]["utterances"]) >= 2


@needs_nano
@pytest.mark.parametrize("of_known_length", [True, False])
def test_raw_samples(server: RunningServer, sound: Samples, of_known_length: bool) -> None:
    data = pcm(sound)
    content = data if of_known_length else iter([data[:1], data[1:50_000], data[50_000:]])
    answer = post(server, RAW, content)
    assert answer.status_code == 200, answer.text
    expected = text(post(server, "", flac(sound)))
    assert text(answer) == expected
    assert answer.json()["metadata"]["sha256"] == sha256(data).hexdigest()


@needs_nano
def test_channels_are_heard_apart(server: RunningServer, sound: Samples) -> None:
    both = np.stack([np.zeros_like(sound), sound], axis=1)
    answer = post(server, "multichannel=true&utterances=true", flac(both))
    assert answer.status_code == 200, answer.text
    assert text(answer, 0) == ""
    assert len(text(answer, 1).split()) >= 6
    assert {each["channel"] for each in answer.json()["results"]["utterances"]} == {1}
    assert answer.json()["metadata"]["channels"] == 2


@needs_nano
def test_the_language_is_told_if_it_is_detected(server: RunningServer, sound: Samples) -> None:
    answer = post(server, "detect_language=true", flac(sound))
    assert answer.json()["results"]["channels"][0]["detected_language"] == "en"


@pytest.mark.parametrize(
    ("query", "content", "kind", "status", "said"),
    [
        ("", b"no sound at all" * 100, "audio/wav", 400, "sound"),
        ("", b"", "audio/wav", 400, "empty"),
        ("redact=pci", b"x", "audio/wav", 400, "redact"),
        ("model=mine", b"x", "audio/wav", 400, "mine"),
        ("summarize=v2", b"x", "audio/wav", 400, "summarize"),
        ("", b'{"url": "https://example.org/a.wav"}', "application/json", 403, "--fetch-urls"),
        ("", b'{"uri": 1}', "application/json", 400, "url"),
        ("", b"[" * 50_000, "application/json", 400, "url"),
        ("utt_split=never", b"x", "audio/wav", 400, "utt_split"),
    ],
)
def test_what_is_refused(
    server: RunningServer, query: str, content: bytes, kind: str, status: int, said: str
) -> None:
    answer = post(server, query, content, **{"Content-Type": kind})
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert said in body["err_msg"]
    assert set(body) == {"err_code", "err_msg", "request_id"}
    assert answer.headers["dg-error"]


@needs_nano
@pytest.mark.parametrize("query", ["", "multichannel=true"])
def test_too_long(sound: Samples, query: str) -> None:
    with running_server(max_audio_s=1.0) as server:
        answer = post(server, query, flac(np.stack([sound, sound], axis=1)))
        assert (answer.status_code, answer.json()["err_code"]) == (413, "PAYLOAD_TOO_LARGE")
        assert "longer than 1.0 s" in answer.json()["err_msg"]


@needs_nano
def test_slow_uploads_take_no_threads_that_others_need(sound: Samples) -> None:
    with running_server() as server, ExitStack() as stack:
        assert post(server, "", flac(sound)).status_code == 200
        uploads = min(32, (os.cpu_count() or 1) + 4)  # threads of asyncio.to_thread
        for _ in range(uploads):
            path = "/v1/listen?multichannel=true"
            stack.enter_context(slow_client(server, path, 10_000)).send(b"fLaC")
        while server.service.gate.count("file") < uploads:
            time.sleep(0.01)
        time.sleep(0.2)
        with connect(f"{server.websocket_url}/live", open_timeout=10) as socket:
            socket.send('{"type": "flush"}')
            socket.send('{"type": "end"}')
            assert [json.loads(each)["type"] for each in socket][-1] == "end"


def test_too_large() -> None:
    with running_server(max_upload_mb=0.01, preload=False) as server:
        answer = post(server, "", bytes(20_000))
        assert answer.status_code == 413
        assert json.loads(answer.text)["err_code"] == "PAYLOAD_TOO_LARGE"


@pytest.mark.parametrize(
    ("sound", "first", "expected"),
    [
        (AudioFormat(), b"fLaC", b""),
        (AudioFormat("amr-nb"), b"\x3c\x91", b"#!AMR\n"),
        (AudioFormat("amr-wb"), b"#!AMR-WB\n", b""),
        (AudioFormat("linear16", RawFormat("s16le", 8_000, 1)), b"RIFF\0\0\0\0WAVEfmt ", b""),
    ],
)
def test_what_is_put_before_sound(sound: AudioFormat, first: bytes, expected: bytes) -> None:
    assert missing_header(sound, first) == expected


def test_the_header_of_samples() -> None:
    head = wav_header(RawFormat("s16le", 8_000, 2), 400)
    with wave.open(io.BytesIO(head + bytes(400))) as file:
        assert file.getparams()[:4] == (2, 2, 8_000, 100)
    assert wav_header(RawFormat("mulaw", 8_000, 1))[-4:] == UNKNOWN.to_bytes(4, "little")
