"""``/v1/listen`` over a websocket, from outside."""

from __future__ import annotations

import io
import json
import threading
import time
from contextlib import ExitStack
from hashlib import sha256
from typing import Any

import numpy as np
import pytest
import soundfile
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from quest22.records import SAMPLE_RATE_HZ, Samples
from quest22.server.deepgram import live_connection
from tests.server.deepgram.listening import (
    RAW,
    all_of,
    blocks,
    control,
    finals,
    listening,
    messages,
    pcm,
    said,
    send,
    speech,
    transcript,
    until,
)
from tests.support.recordings import NANO_IS_HERE
from tests.support.running_server import RunningServer, running_server

pytestmark = pytest.mark.skipif(not NANO_IS_HERE, reason="needs the bundled model")


@pytest.fixture(scope="module")
def sound() -> Samples:
    return speech()


@pytest.fixture(scope="module")
def spoken(server: RunningServer, sound: Samples) -> list[dict[str, Any]]:
    """All messages about it, with everything that may be asked for."""
    wanted = {
        "interim_results": "true",
        "vad_events": "true",
        "utterance_end_ms": "1000",
        "punctuate": "true",
        "tag": "test",
        "extra": "key:value",
    }
    silence = pcm(np.zeros(3 * SAMPLE_RATE_HZ, np.float32))
    return all_of(server, pcm(sound) + silence, **RAW, **wanted)


def test_what_was_said_is_final(spoken: list[dict[str, Any]]) -> None:
    endpoints = [each for each in finals(spoken) if each["speech_final"]]
    assert len(endpoints) >= 2
    assert len(said(spoken).split()) >= 6
    words = [
        word for each in finals(spoken) for word in each["channel"]["alternatives"][0]["words"]
    ]
    assert " ".join(word["punctuated_word"] for word in words) == said(spoken)
    assert [word["start"] for word in words] == sorted(word["start"] for word in words)
    assert all(0 < word["confidence"] <= 1 for word in words)


def test_final_results_are_all_of_the_sound(spoken: list[dict[str, Any]], sound: Samples) -> None:
    place = 0.0
    for each in finals(spoken):
        assert each["start"] == pytest.approx(place, abs=2e-3)
        place = each["start"] + each["duration"]
    assert place == pytest.approx(len(sound) / SAMPLE_RATE_HZ + 3, abs=0.01)


def test_events_of_the_voice(spoken: list[dict[str, Any]]) -> None:
    kinds = [each["type"] for each in spoken]
    assert kinds.count("SpeechStarted") >= 2
    assert kinds[0] == "SpeechStarted"
    assert "UtteranceEnd" in kinds
    last = [each for each in spoken if each["type"] == "UtteranceEnd"][-1]
    words = [w for each in finals(spoken) for w in each["channel"]["alternatives"][0]["words"]]
    assert last["last_word_end"] == pytest.approx(words[-1]["end"], abs=2e-3)
    assert last["channel"] == [0, 1]


def test_what_is_told_in_the_end(spoken: list[dict[str, Any]], sound: Samples) -> None:
    last = spoken[-1]
    assert last["type"] == "Metadata"
    silence = pcm(np.zeros(3 * SAMPLE_RATE_HZ, np.float32))
    assert last["sha256"] == sha256(pcm(sound) + silence).hexdigest()
    assert last["duration"] == pytest.approx(len(sound) / SAMPLE_RATE_HZ + 3, abs=2e-3)
    assert (last["channels"], last["tags"], last["extra"]) == (1, ["test"], {"key": "value"})
    metadata = finals(spoken)[0]["metadata"]
    assert metadata["request_id"] == last["request_id"]
    assert metadata["model_info"]["name"] == "nano"
    assert last["models"] == [metadata["model_uuid"]]


def test_the_text_is_plain_without_punctuation(
    server: RunningServer, sound: Samples, spoken: list[dict[str, Any]]
) -> None:
    found = all_of(server, pcm(sound), **RAW)
    assert all(each["is_final"] for each in found[:-1])
    text = said(found)
    assert text == text.lower()
    assert not set(text) & set(".,?!")
    assert "punctuated_word" not in json.dumps(found)
    marked = "".join(mark for mark in said(spoken).lower() if mark not in ".,?!")
    assert text.split() == marked.split()


@pytest.fixture(scope="module")
def expected(spoken: list[dict[str, Any]]) -> set[str]:
    """The words."""
    return {
        word["word"]
        for each in finals(spoken)
        for word in each["channel"]["alternatives"][0]["words"]
    }


def encoded(sound: Samples, kind: str, subtype: str, rate: int = SAMPLE_RATE_HZ) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound, rate, format=kind, subtype=subtype)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "subtype", "query"),
    [
        ("WAV", "PCM_16", {}),
        ("WAV", "PCM_16", RAW),
        ("FLAC", "PCM_16", {"encoding": "flac"}),
        ("OGG", "OPUS", {"encoding": "ogg-opus"}),
        ("OGG", "OPUS", {"encoding": "opus", "sample_rate": "16000"}),
        ("MP3", "MPEG_LAYER_III", {}),
        ("RAW", "ULAW", {"encoding": "mulaw", "sample_rate": "16000"}),
        ("RAW", "ALAW", {"encoding": "alaw", "sample_rate": "16000"}),
        ("RAW", "FLOAT", {"encoding": "linear32", "sample_rate": "16000"}),
    ],
)
def test_sounds(
    server: RunningServer,
    sound: Samples,
    expected: set[str],
    kind: str,
    subtype: str,
    query: dict[str, str],
) -> None:
    found = all_of(server, encoded(sound, kind, subtype), **query)
    assert len(expected & set(said(found).split())) >= 0.7 * len(expected)
    assert found[-1]["duration"] == pytest.approx(len(sound) / SAMPLE_RATE_HZ, abs=0.2)


def packets(sound: Samples) -> list[bytes]:
    """Opus packets without a container."""
    import av

    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.format, encoder.layout = 48_000, "s16", "mono"
    resampler = av.AudioResampler("s16", "mono", 48_000, frame_size=960)
    frame = av.AudioFrame.from_ndarray((sound * 32_767).astype(np.int16)[None, :], "s16", "mono")
    frame.sample_rate = SAMPLE_RATE_HZ
    return [bytes(p) for each in resampler.resample(frame) for p in encoder.encode(each)]


def test_opus_packets(server: RunningServer, sound: Samples, expected: set[str]) -> None:
    with listening(server, encoding="opus", sample_rate="48000") as socket:
        send(socket, packets(sound))
        control(socket, "CloseStream")
        found = list(messages(socket))
    assert len(expected & set(said(found).split())) >= 0.7 * len(expected)


def test_channels_are_heard_apart(server: RunningServer, sound: Samples) -> None:
    silent = np.zeros_like(sound)
    for data, query in (
        (pcm(np.stack([silent, sound], axis=1)), {**RAW, "channels": "2"}),
        (encoded(np.stack([silent, sound], axis=1), "FLAC", "PCM_16"), {"channels": "2"}),
    ):
        found = all_of(server, data, multichannel="true", **query)
        assert said(found, 0) == ""
        assert len(said(found, 1).split()) >= 6
        assert finals(found, 1)[0]["channel_index"] == [1, 2]
        assert found[-1]["channels"] == 2


def test_finalize(server: RunningServer, sound: Samples) -> None:
    with listening(server, **RAW) as socket:
        send(socket, blocks(pcm(sound[: 3 * SAMPLE_RATE_HZ])))
        control(socket, "Finalize")
        while not (message := until(socket, "Results"))["from_finalize"]:
            assert message["is_final"]
        assert message["is_final"]
        assert message["start"] + message["duration"] == pytest.approx(3.0, abs=0.1)
        control(socket, "Finalize")
        again = until(socket, "Results")
        assert again["from_finalize"]
        assert transcript(again) == ""
        control(socket, "CloseStream")
        assert [each["type"] for each in messages(socket)][-1] == "Metadata"


def test_a_stream_without_sound(server: RunningServer) -> None:
    found = all_of(server, b"", **RAW)
    assert [each["type"] for each in found] == ["Metadata"]
    assert found[0]["duration"] == 0


def test_an_empty_message_ends_a_stream(server: RunningServer) -> None:
    with listening(server, **RAW) as socket:
        socket.send(b"")
        assert [each["type"] for each in messages(socket)] == ["Metadata"]
        assert socket.close_code == 1000


def test_configure(server: RunningServer) -> None:
    with listening(server, **RAW) as socket:
        control(socket, "Configure", features={"punctuate": True})
        assert until(socket, "ConfigureSuccess")["request_id"]
        control(socket, "Configure", keyterms=["x"])
        assert until(socket, "ConfigureFailure")["code"] == "CONFIGURE_KEYTERMS_NOT_SUPPORTED"
        control(socket, "KeepAlive")
        socket.send("{")
        assert until(socket, "Error")["variant"] == "SchemaError"
        control(socket, "CloseStream")
        until(socket, "Metadata")


def test_messages_that_make_no_sense_end_it(server: RunningServer) -> None:
    with listening(server, **RAW) as socket:
        for _ in range(live_connection.MAX_SCHEMA_ERRORS):
            socket.send("?")
        assert len(list(messages(socket))) == live_connection.MAX_SCHEMA_ERRORS
        assert socket.close_code == 1008


def test_who_sends_nothing(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_connection, "IDLE_TIMEOUT_S", 0.3)
    with listening(server, **RAW) as socket:
        send(socket, [pcm(np.zeros(1_600, np.float32))])
        (last,) = messages(socket)
        assert last["is_final"]
        assert socket.close_code == 1011
        assert "NET-0001" in str(socket.close_reason)


def test_what_is_no_sound(server: RunningServer) -> None:
    with listening(server) as socket:
        send(socket, [b"this is no sound" * 1_000])
        control(socket, "CloseStream")
        assert not list(messages(socket))
        assert socket.close_code == 1008
        assert "DATA-0000" in str(socket.close_reason)


@pytest.mark.parametrize("samples", [16_000, 100])
def test_numbers_that_are_no_sound(server: RunningServer, samples: int) -> None:
    with listening(server, encoding="linear32", sample_rate="16000") as socket:
        send(socket, [np.full(samples, np.nan, "<f4").tobytes()])
        control(socket, "Finalize")
        list(messages(socket))
        assert socket.close_code == 1008
        assert "DATA-0000" in str(socket.close_reason)


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("redact=pci", 400, "Bad Request"),
        ("model=mine", 400, "Bad Request"),
        ("encoding=linear16", 400, "Bad Request"),
        ("language=xx", 400, "Bad Request"),
    ],
)
def test_what_is_refused(server: RunningServer, query: str, status: int, code: str) -> None:
    address = f"{server.websocket_url}/v1/listen?{query}"
    with pytest.raises(InvalidStatus) as refused, connect(address):
        pass
    response = refused.value.response
    assert response.status_code == status
    body = json.loads(response.body or b"")
    assert body["err_code"] == code
    assert response.headers["dg-error"] == body["err_msg"]
    assert response.headers["dg-request-id"] == body["request_id"]
    assert response.headers["x-request-id"] == body["request_id"]


def test_too_many() -> None:
    with running_server(max_live=1) as server, listening(server, **RAW) as first:
        with pytest.raises(InvalidStatus) as refused, listening(server, **RAW):
            pass
        assert refused.value.response.status_code == 503
        assert int(refused.value.response.headers["Retry-After"]) >= 1
        control(first, "CloseStream")
        until(first, "Metadata")


def test_a_key_in_the_subprotocols(server: RunningServer) -> None:
    address = f"{server.websocket_url}/v1/listen"
    with connect(address, subprotocols=["token", "secret"]) as socket:  # type: ignore[list-item]
        assert socket.subprotocol == "token"
        control(socket, "CloseStream")
        until(socket, "Metadata")


def test_tiny_messages(server: RunningServer, sound: Samples) -> None:
    data = pcm(sound[: 2 * SAMPLE_RATE_HZ])
    with listening(server, **RAW) as socket:
        send(socket, blocks(data, 7))
        control(socket, "CloseStream")
        found = list(messages(socket))
    assert found[-1]["duration"] == pytest.approx(2.0, abs=1e-3)
    assert said(found)


def test_a_client_that_goes_frees_its_place() -> None:
    with running_server(max_live=1) as server:
        for _ in range(3):
            with listening(server, **RAW) as socket:
                send(socket, [pcm(np.zeros(16_000, np.float32))])
                socket.socket.close()
            for _ in range(100):
                if not server.service.gate.count("live"):
                    break
                time.sleep(0.05)
        with listening(server, **RAW) as socket:
            control(socket, "CloseStream")
            until(socket, "Metadata")


def test_a_server_that_ends_sends_what_was_said(sound: Samples) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(running_server())
        with listening(server, **RAW) as socket:
            send(socket, blocks(pcm(sound)))
            control(socket, "KeepAlive")
            until(socket, "Results")
            ending = threading.Thread(target=stack.close)
            ending.start()
            found = list(messages(socket))
            assert socket.close_code == 1012
            assert finals(found)
            ending.join()
