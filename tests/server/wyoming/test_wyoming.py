"""Wyoming from outside, with the client of the protocol's makers."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wyoming.asr import Transcribe, Transcript, TranscriptChunk
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.ping import Ping

from quest22.errors import SourceError, UsageError
from quest22.records import SAMPLE_RATE_HZ, Samples
from quest22.server.serve import build_service
from quest22.server.wyoming import client as client_module
from quest22.server.wyoming import listener as listener_module
from quest22.server.wyoming.listener import listener
from quest22.settings import PipelineSettings
from quest22.settings.server import ServerSettings
from tests.server.deepgram.listening import blocks, pcm, speech
from tests.server.wyoming.test_fields import DATA, VALUES
from tests.support.logged_requests import logged_requests
from tests.support.recordings import NANO_IS_HERE
from tests.support.running_server import RunningServer, running_server

pytestmark = pytest.mark.skipif(not NANO_IS_HERE, reason="needs the bundled model")

FORMAT = {"rate": SAMPLE_RATE_HZ, "width": 2, "channels": 1}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def speaking() -> Iterator[RunningServer]:
    with running_server(wyoming_port=free_port(), max_live=2) as server:
        yield server


@pytest.fixture(scope="module")
def sound() -> Samples:
    return speech()


def client_of(server: RunningServer) -> AsyncTcpClient:
    port = server.service.settings.wyoming_port
    assert port is not None
    return AsyncTcpClient("127.0.0.1", port, 60, 120)


def run(server: RunningServer, talk: Callable[[AsyncTcpClient], Coroutine[Any, Any, Any]]) -> Any:
    """A conversation with a client."""

    async def connected() -> Any:
        async with client_of(server) as client:
            return await talk(client)

    return asyncio.run(connected())


async def say(client: AsyncTcpClient, sound: Samples, **wanted: Any) -> None:
    await client.write_event(Transcribe(**wanted).event())
    await client.write_event(AudioStart(**FORMAT).event())
    for block in blocks(pcm(sound)):
        await client.write_event(AudioChunk(**FORMAT, audio=block).event())
    await client.write_event(AudioStop().event())


async def events(client: AsyncTcpClient, last: str) -> list[Event]:
    """Until the last one, or the end."""
    found: list[Event] = []
    while not found or found[-1].type != last:
        event = await client.read_event()
        if event is None:
            break
        found.append(event)
    return found


def test_what_it_can_do(speaking: RunningServer) -> None:
    async def talk(client: AsyncTcpClient) -> Info:
        await client.write_event(Describe().event())
        event = await client.read_event()
        assert event is not None
        return Info.from_event(event)

    (program,) = run(speaking, talk).asr
    assert program.supports_transcript_streaming
    assert program.requires_external_vad
    (model,) = program.models
    assert (model.name, model.installed) == ("nano", True)
    assert {"en", "ru"} <= set(model.languages)


def test_what_was_said(speaking: RunningServer, sound: Samples) -> None:
    async def talk(client: AsyncTcpClient) -> list[Event]:
        await say(client, sound, language="en")
        return await events(client, "transcript-stop")

    found = run(speaking, talk)
    kinds = [event.type for event in found]
    assert kinds[0] == "transcript-start"
    assert kinds[-2:] == ["transcript", "transcript-stop"]
    assert set(kinds[1:-2]) == {"transcript-chunk"}
    transcript = Transcript.from_event(found[-2])
    chunks = [TranscriptChunk.from_event(event).text for event in found[1:-2]]
    assert "".join(chunks) == transcript.text
    assert len(transcript.text.split()) >= 6
    assert transcript.language == "en"


def test_one_utterance_after_another(speaking: RunningServer, sound: Samples) -> None:
    async def talk(client: AsyncTcpClient) -> list[str]:
        texts = []
        for _ in range(2):
            await say(client, sound[: 4 * SAMPLE_RATE_HZ], language="xx-unknown")
            found = await events(client, "transcript-stop")
            texts.append(Transcript.from_event(found[-2]).text)
        return texts

    first, second = run(speaking, talk)
    assert first
    assert second


def test_silence_has_no_text(speaking: RunningServer) -> None:
    async def talk(client: AsyncTcpClient) -> list[Event]:
        await say(client, np.zeros(SAMPLE_RATE_HZ, np.float32))
        return await events(client, "transcript-stop")

    found = run(speaking, talk)
    assert [event.type for event in found] == ["transcript-start", "transcript", "transcript-stop"]
    assert Transcript.from_event(found[1]).text == ""


def test_ping_and_what_is_unknown(speaking: RunningServer) -> None:
    async def talk(client: AsyncTcpClient) -> Event | None:
        await client.write_event(Event("sing", {"song": 1}))
        await client.write_event(Ping("hello").event())
        return await client.read_event()

    assert run(speaking, talk) == Event("pong", {"text": "hello"})


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (Transcribe(name="mine"), "the model 'mine' is not served"),
        (AudioStart(rate=16_000, width=7, channels=1), "width"),
        (AudioStart(rate=5, width=2, channels=1), "rate"),
        (Transcribe(transcript_names=5), "transcript_names is 5: expected a list of texts"),
    ],
)
def test_what_is_refused(speaking: RunningServer, event: Any, said: str) -> None:
    async def talk(client: AsyncTcpClient) -> list[Event]:
        await client.write_event(event.event())
        if isinstance(event, Transcribe):
            await client.write_event(AudioStart(**FORMAT).event())
        return await events(client, "never")

    (found,) = run(speaking, talk)
    error = Error.from_event(found)
    assert said in error.text
    assert error.code in ("unknown_model", "bad_request")


TYPES = st.sampled_from(["transcribe", "audio-start", "audio-chunk", "ping", "describe", "x"])
EVENTS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "type": TYPES | VALUES,
            "data": DATA | VALUES,
            "data_length": VALUES,
            "payload_length": st.integers(-1, 2) | VALUES,
        },
    ),
    min_size=1,
    max_size=5,
)


@given(EVENTS)
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_is_sent_is_answered_or_refused(
    speaking: RunningServer, caplog: pytest.LogCaptureFixture, sent: list[dict[str, Any]]
) -> None:
    port = speaking.service.settings.wyoming_port
    with socket.create_connection(("127.0.0.1", port or 0), timeout=60) as client:
        client.sendall(b"".join(json.dumps(each).encode() + b"\n" for each in sent))
        client.shutdown(socket.SHUT_WR)
        answered = client.makefile("rb").read()
    assert not answered or json.loads(answered.splitlines()[0])["type"] in ("pong", "info", "error")
    assert not [each for each in caplog.records if each.levelname == "ERROR"], caplog.text


def test_a_connection_has_a_line_in_the_log(speaking: RunningServer, sound: Samples) -> None:
    async def talk(client: AsyncTcpClient) -> None:
        await say(client, sound[: 3 * SAMPLE_RATE_HZ], language="en")
        await events(client, "transcript-stop")

    async def wrong(client: AsyncTcpClient) -> None:
        await client.write_event(Transcribe(name="mine").event())
        await client.write_event(AudioStart(**FORMAT).event())
        await events(client, "never")

    async def nothing(_: AsyncTcpClient) -> None:
        """Only look whether somebody listens."""

    with logged_requests() as logged:
        run(speaking, nothing)
        run(speaking, talk)
        logged.wait(1)
        run(speaking, wrong)
        heard, refused = logged.wait(2)
    assert (heard.status, heard.api, heard.caller) == (200, "wyoming", "127.0.0.1")
    assert heard.audio_s == pytest.approx(3, abs=0.1)
    assert (refused.status, refused.reason) == (404, "unknown_model")
    metrics = speaking.service.gate.metrics.text().decode()
    assert 'quest22_requests_total{api="wyoming",status="404"}' in metrics


def test_who_stops_within_an_utterance_is_left(
    speaking: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "UTTERANCE_TIMEOUT_S", 0.3)

    async def talk(client: AsyncTcpClient) -> Event | None:
        await client.write_event(AudioStart(**FORMAT).event())
        return await client.read_event()

    with logged_requests() as logged:
        assert run(speaking, talk) is None
        (context,) = logged.wait(1)
    assert (context.status, context.reason) == (408, "stalled")


def test_connections_are_limited(speaking: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener_module, "MAX_CLIENTS", 1)

    async def talk() -> Event | None:
        async with client_of(speaking) as first, client_of(speaking) as second:
            await first.write_event(Ping().event())
            assert await first.read_event() is not None
            return await second.read_event()

    event = asyncio.run(talk())
    assert event is not None
    assert Error.from_event(event).code == "overloaded"


def test_too_many(speaking: RunningServer) -> None:
    async def talk() -> list[str]:
        answers = []
        async with AsyncExitStack() as stack:
            for _ in range(3):
                client = await stack.enter_async_context(client_of(speaking))
                await client.write_event(AudioStart(**FORMAT).event())
                await client.write_event(Ping().event())
                event = await client.read_event()
                assert event is not None
                answers.append(event.type)
        return answers

    assert asyncio.run(talk()) == ["pong", "pong", "error"]


def test_a_server_that_ends_answers_what_was_said(sound: Samples) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(running_server(wyoming_port=free_port()))
        ending = threading.Thread(target=stack.close)

        async def talk(client: AsyncTcpClient) -> list[Event]:
            await client.write_event(Transcribe(language="en").event())
            for block in blocks(pcm(sound)):
                await client.write_event(AudioChunk(**FORMAT, audio=block).event())
            assert await client.read_event() is not None
            ending.start()
            return await events(client, "transcript-stop")

        found = run(server, talk)
        ending.join()
        assert Transcript.from_event(found[-2]).text


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = ServerSettings(port=0, wyoming_port=taken.getsockname()[1])
        service = build_service(settings, {"nano": "nano"}, PipelineSettings())
        with pytest.raises(SourceError, match="choose another --wyoming-port"):
            listener(service)


def test_a_port_that_cannot_be() -> None:
    with pytest.raises(UsageError, match="wyoming_port is 70000"):
        ServerSettings(wyoming_port=70_000)
