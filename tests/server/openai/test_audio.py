"""``/v1/audio/…`` from outside."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from quest22.records import SAMPLE_RATE_HZ
from quest22.server.access.keys import new_key
from tests.support.forms import (
    CONTENT_TYPE,
    encoded_form,
    slow_client,
    sound_file,
    spoken,
)
from tests.support.recordings import NANO_IS_HERE
from tests.support.running_server import RunningServer, running_server

pytestmark = pytest.mark.skipif(not NANO_IS_HERE, reason="nano is not built")

PATH = "/v1/audio/transcriptions"
LONG_SAMPLES, LONGER_SAMPLES = 360 * SAMPLE_RATE_HZ, 600 * SAMPLE_RATE_HZ
"""Text is committed once eight windows were heard, about four minutes."""

SENT = 5 / 6
"""The part of a long recording in which text is committed."""


@pytest.fixture(scope="module")
def talk() -> bytes:
    return sound_file(spoken("en", 3))


@pytest.fixture(scope="module")
def long_talk() -> bytes:
    return sound_file(np.tile(spoken("en", 40), 2)[:LONGER_SAMPLES], "FLAC")


def post(server: RunningServer, data: bytes, *fields: tuple[str, str], **more: Any) -> Any:
    first = more.get("file_first", False)
    body = encoded_form([] if first else fields, data, fields if first else [])
    url = f"{server.url}{more.get('path', PATH)}"
    return httpx2.post(url, content=body, headers={"content-type": CONTENT_TYPE}, timeout=120)


def audio_s(server: RunningServer) -> float:
    """Seconds of sound that the server has counted so far."""
    found = server.service.gate.metrics.registry.collect()
    samples = [each for metric in found for each in metric.samples]
    return sum(each.value for each in samples if each.name == "quest22_audio_seconds_total")


def events_of(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def deltas(events: list[dict[str, Any]]) -> str:
    return "".join(each["delta"] for each in events if each["type"].endswith("delta"))


def test_json(server: RunningServer, talk: bytes) -> None:
    answer = post(server, talk, ("model", "whisper-1"), ("language", "en"))
    assert answer.status_code == 200
    assert answer.headers["x-request-id"].startswith("req_")
    body = answer.json()
    assert len(body["text"].split()) > 5
    assert body["usage"]["type"] == "duration"
    assert body["usage"]["seconds"] > 3
    assert body["languages"] == [{"code": "en"}]


@pytest.mark.parametrize("file_first", [True, False])
def test_the_file_may_come_first_or_last(
    server: RunningServer, talk: bytes, file_first: bool
) -> None:
    answer = post(server, talk, ("response_format", "text"), file_first=file_first)
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.endswith("\n")
    assert answer.text.strip() == post(server, talk).json()["text"]


def test_fields_on_both_sides_of_the_file(server: RunningServer, talk: bytes) -> None:
    body = encoded_form([("model", "nano")], talk, [("response_format", "srt")])
    cut = len(body) - 200
    with slow_client(server, PATH, len(body)) as client:
        client.send(body[:cut])
        time.sleep(0.5)  # the work begins
        client.send(body[cut:])
        lines = []
        for line in client.lines():
            lines.append(line)
            if "-->" in line:
                break
    assert "content-type: application/x-subrip; charset=utf-8" in lines


@pytest.mark.parametrize("late", [("language", "ru"), ("response_format", "srt")])
def test_a_recording_counts_once_though_fields_come_late(
    server: RunningServer, talk: bytes, late: tuple[str, str]
) -> None:
    before = [("model", "nano")]
    body = encoded_form(before, talk, [late])
    cut = len(encoded_form(before, talk)) - len("--")  # behind the boundary that ends the file
    counted_s = audio_s(server)
    with slow_client(server, PATH, len(body)) as client:
        client.send(body[:cut])
        while audio_s(server) == counted_s:
            time.sleep(0.01)  # it is transcribed, and the form is not at its end
        client.send(body[cut:])
        assert next(client.lines()).startswith("HTTP/1.1 200")
    seconds = post(server, talk).json()["usage"]["seconds"]
    assert audio_s(server) - counted_s == pytest.approx(2 * seconds, abs=0.01)


def test_captions(server: RunningServer, talk: bytes) -> None:
    srt = post(server, talk, ("response_format", "srt")).text
    assert srt.startswith("1\n00:00:0")
    vtt = post(server, talk, ("response_format", "vtt")).text
    assert vtt.startswith("WEBVTT\n\n00:0")


def test_verbose_json(server: RunningServer, talk: bytes) -> None:
    body = post(
        server,
        talk,
        ("response_format", "verbose_json"),
        ("timestamp_granularities[]", "word"),
        ("timestamp_granularities[]", "segment"),
    ).json()
    assert (body["task"], body["language"]) == ("transcribe", "english")
    assert set(body["segments"][0]) == {
        *("id", "seek", "start", "end", "text", "tokens", "temperature"),
        *("avg_logprob", "compression_ratio", "no_speech_prob"),
    }
    spoken_words = "".join(each["word"] for each in body["words"])
    assert spoken_words == body["text"].replace(" ", "")
    assert body["words"][-1]["end"] <= body["duration"]


def test_words_alone(server: RunningServer, talk: bytes) -> None:
    body = post(
        server,
        talk,
        ("response_format", "verbose_json"),
        ("timestamp_granularities[]", "word"),
    ).json()
    assert body["words"]
    assert "segments" not in body


def test_diarized_json(server: RunningServer, talk: bytes) -> None:
    body = post(server, talk, ("response_format", "diarized_json")).json()
    assert body["task"] == "transcribe"
    assert {each["speaker"] for each in body["segments"]} == {"A"}
    assert " ".join(each["text"] for each in body["segments"]) == body["text"]


def test_logprobs(server: RunningServer, talk: bytes) -> None:
    body = post(server, talk, ("include[]", "logprobs")).json()
    assert "".join(each["token"] for each in body["logprobs"]).strip() == body["text"]
    assert all(each["logprob"] <= 0 for each in body["logprobs"])


def test_translation(server: RunningServer, talk: bytes) -> None:
    path = "/v1/audio/translations"
    body = post(server, talk, ("response_format", "verbose_json"), path=path).json()
    assert (body["task"], body["language"]) == ("translate", "english")


@pytest.mark.parametrize("shape", ["json", "text", "verbose_json", "diarized_json"])
def test_stream(server: RunningServer, talk: bytes, shape: str) -> None:
    answer = post(server, talk, ("stream", "true"), ("response_format", shape))
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = list(events_of(iter(answer.text.splitlines())))
    assert deltas(events) == events[-1]["text"]
    plain = post(server, talk, ("response_format", shape.replace("text", "json"))).json()
    assert events[-1]["text"] == plain["text"]
    spoken_events = [each for each in events if each["type"] == "transcript.text.segment"]
    assert bool(spoken_events) == (shape in ("verbose_json", "diarized_json"))


def test_a_stream_with_the_times_of_words(server: RunningServer, talk: bytes) -> None:
    fields = [("response_format", "verbose_json"), ("timestamp_granularities[]", "word")]
    answer = post(server, talk, ("stream", "true"), *fields)
    events = list(events_of(iter(answer.text.splitlines())))
    plain = post(server, talk, *fields).json()
    words = [word for each in events[:-1] for word in each.get("words", ())]
    assert words == plain["words"]
    assert events[-1]["language"] == plain["language"]
    assert events[-1]["duration"] == plain["duration"]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["WAV", "MP3", "OGG"])
def test_text_comes_while_the_last_part_is_held_back(server: RunningServer, form: str) -> None:
    data = sound_file(np.tile(spoken("en", 40), 2)[:LONG_SAMPLES], form)
    fields = [("model", "nano"), ("stream", "true"), ("language", "en")]
    body = encoded_form(fields, data)
    with slow_client(server, PATH, len(body)) as client:
        sent = round(len(body) * SENT)
        client.send(body[:sent])
        events = []
        told = events_of(client.lines())
        events.append(next(told))
        assert events[0]["type"] == "transcript.text.delta"
        client.send(body[sent:])
        for event in told:
            events.append(event)
            if event["type"].endswith("done"):
                break
    assert deltas(events) == events[-1]["text"]
    assert events[-1]["text"] == post(server, data, ("language", "en")).json()["text"]


@pytest.mark.slow
def test_fields_that_come_too_late_for_a_stream(server: RunningServer, long_talk: bytes) -> None:
    before = [("model", "nano"), ("stream", "true")]
    body = encoded_form(before, long_talk, [("language", "ru")])
    with slow_client(server, PATH, len(body)) as client:
        client.send(body[:-60])
        told = events_of(client.lines())
        assert next(told)["type"].endswith("delta")
        client.send(body[-60:])
        last = next(each for each in told if "error" in each)
    assert "put the file last" in last["error"]["message"]


def test_a_client_that_goes_frees_its_place(talk: bytes) -> None:
    with running_server(max_requests=1) as server:
        body = encoded_form([("model", "nano")], talk)
        with slow_client(server, PATH, len(body)) as client:
            client.send(body[: len(body) // 2])
            while not server.service.gate.count("file"):
                time.sleep(0.01)
            busy = post(server, talk)
            assert busy.status_code == 503
            assert int(busy.headers["retry-after"]) > 0
            assert busy.json()["error"]["code"] == "overloaded"
        while server.service.gate.count("file"):
            time.sleep(0.01)
        assert post(server, talk).status_code == 200


def test_slow_uploads_hold_up_nobody(server: RunningServer, talk: bytes) -> None:
    body = encoded_form([("model", "nano")], talk)
    with slow_client(server, PATH, len(body)) as one, slow_client(server, PATH, len(body)) as two:
        one.send(body[: len(body) // 2])
        two.send(body[:10])
        assert post(server, talk).status_code == 200


def test_an_upload_that_stalls() -> None:
    with running_server(upload_stall_s=0.2) as server, slow_client(server, PATH, 1000) as client:
        client.send(b"--")
        assert next(client.lines()).startswith("HTTP/1.1 408")


@pytest.mark.parametrize(
    ("data", "fields", "status", "parameter", "words"),
    [
        (b"<html>no", [], 400, "file", "HTML page"),
        (b"", [], 400, "file", "empty"),
        (b"x", [("model", "large")], 404, "model", "not served"),
        (b"x", [("response_format", "xml")], 400, "response_format", "verbose_json"),
        (b"x", [("known_speaker_names[]", "Anna")], 400, "known_speaker_names", "speakers"),
        (b"x", [("prompt", "x" * 70_000)], 413, "prompt", "64 KiB"),
    ],
)
def test_refusals(
    server: RunningServer,
    data: bytes,
    fields: list[tuple[str, str]],
    status: int,
    parameter: str,
    words: str,
) -> None:
    answer = post(server, data, *fields)
    assert answer.status_code == status
    assert answer.headers["x-request-id"]
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert error["param"] == parameter
    assert words in error["message"]
    assert "\n" not in error["message"]


def test_no_form(server: RunningServer) -> None:
    answer = httpx2.post(f"{server.url}{PATH}", json={"model": "nano"})
    assert answer.status_code == 400
    assert "multipart/form-data" in answer.json()["error"]["message"]


def test_no_file(server: RunningServer) -> None:
    answer = httpx2.post(f"{server.url}{PATH}", files={"model": (None, b"nano")})
    assert answer.json()["error"]["param"] == "file"


def test_too_large(talk: bytes) -> None:
    with running_server(max_upload_mb=0.001) as server:
        answer = post(server, b"x" * 2_000_000)
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "file_too_large"


def test_too_long(talk: bytes) -> None:
    with running_server(max_audio_s=1.0) as server:
        answer = post(server, talk)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "audio_too_long")
        assert "longer than 1.0 s" in answer.json()["error"]["message"]


def test_a_key_may_send_more_or_less_than_the_server_says(talk: bytes, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    keys = {most_s: new_key(file, f"up-to-{most_s}", max_audio_s=most_s) for most_s in (1.0, 900.0)}
    with running_server(max_audio_s=2.0, keys=file) as server:
        for most_s, key in keys.items():
            url, body = f"{server.url}{PATH}", encoded_form([("model", "nano")], talk)
            headers = {"content-type": CONTENT_TYPE, "authorization": f"Bearer {key}"}
            answer = httpx2.post(url, content=body, headers=headers, timeout=120)
            assert answer.status_code == (413 if most_s == 1.0 else 200), answer.text


def test_addresses_that_are_not_there(server: RunningServer) -> None:
    answer = httpx2.post(f"{server.url}/v1/chat/completions", json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, None)
    answer = httpx2.get(f"{server.url}{PATH}")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert "expected POST" in answer.json()["error"]["message"]
    answer = httpx2.get(f"{server.url}/v1/models/large")
    assert answer.json()["error"]["code"] == "model_not_found"
