"""Calls: a peer and a session that only notes what comes, in one event loop."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from aioice import ice
from aiortc import RTCRtpSender

from quest22.errors import UsageError
from quest22.records import SAMPLE_RATE_HZ, Samples
from quest22.server.access.gate import Admission, Caller
from quest22.server.openai.realtime.calls import Calls
from quest22.server.openai.realtime.event_sender import Send
from quest22.server.openai.realtime.webrtc import call as call_module
from quest22.server.openai.realtime.webrtc import event_channel
from quest22.server.openai.realtime.webrtc.audio_queue import AudioQueue
from quest22.server.refusal import Refusal
from quest22.server.serve import build_service
from quest22.server.service import Service
from quest22.settings import PipelineSettings
from quest22.settings.server import ServerSettings
from tests.support.webrtc_client import SpokenTrack, WebRtcClient, lose_packets, webrtc_client

CALLER = Caller("192.0.2.7")


class FakeSession:
    """Stands in for a realtime session."""

    def __init__(self, admission: Admission, send: Send) -> None:
        self.send = send
        self.texts: list[str] = []
        self.blocks: list[Samples] = []
        self.rates: set[int] = set()
        self.has_ended = asyncio.Event()
        self.ends: list[str] = []
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    async def prepare(self) -> None:
        pass

    async def begin(self) -> None:
        await self.send({"type": "session.created"})

    async def receive_text(self, text: str) -> None:
        self.texts.append(text)
        await self.send({"type": "heard", "text": text, "after_s": self.heard_s})

    async def feed(self, samples: Samples, rate_hz: int) -> None:
        self.blocks.append(samples)
        self.rates.add(rate_hz)
        await self.goes_on.wait()

    async def drain(self) -> None:
        self.ends.append("drained")
        await self.send({"type": "last"})

    async def expire(self, idle_s: float) -> None:
        self.ends.append("expired")
        await self.send({"type": "error", "after_s": idle_s})

    async def close(self) -> None:
        self.ends.append("closed")

    async def heard(self, is_so: Callable[[], bool]) -> None:
        """Wait until it has heard what it should."""
        async with asyncio.timeout(30):
            while not self.blocks or not is_so():
                await asyncio.sleep(0.02)

    @property
    def heard_s(self) -> float:
        return sum(map(len, self.blocks)) / 48_000

    @property
    def sound(self) -> Samples:
        return np.concatenate(self.blocks)


class CallHarness:
    """Calls, and the sessions behind them."""

    def __init__(self, **settings: Any) -> None:
        self.service: Service = build_service(
            ServerSettings(port=0, **settings), {"nano": "nano"}, PipelineSettings()
        )
        self.calls = Calls(self.service)
        self.sessions: list[FakeSession] = []
        self.names: list[str] = []
        self.answers: list[str] = []

    async def exchange(self, offer: str) -> str:
        name, answer = await self.calls.answer(CALLER, offer.encode(), self._opened)
        self.names.append(name)
        self.answers.append(answer)
        return answer

    def _opened(self, admission: Admission, send: Send) -> FakeSession:
        self.sessions.append(FakeSession(admission, send))
        return self.sessions[-1]

    async def until_free(self) -> None:
        """Until no call is inside."""
        async with asyncio.timeout(20):
            while self.service.gate.count("live"):
                await asyncio.sleep(0.01)


@asynccontextmanager
async def waiting_client() -> AsyncIterator[WebRtcClient]:
    """A client that has made its offer, and has no answer yet."""
    client = WebRtcClient(SpokenTrack(tone(0.1)))
    try:
        await client.connection.setLocalDescription(await client.connection.createOffer())
        yield client
    finally:
        await client.connection.close()


def on_a_call(
    sound: Samples,
    test: Callable[[CallHarness, WebRtcClient, FakeSession], Awaitable[None]],
    *,
    track: Any = None,
    prepare: Callable[[WebRtcClient], None] = lambda _: None,
    **settings: Any,
) -> CallHarness:
    """Run a test on a call that speaks the sound."""

    async def run() -> CallHarness:
        board = CallHarness(**settings)
        spoken = track or SpokenTrack(sound)
        async with webrtc_client(board.exchange, spoken, prepare) as client:
            await test(board, client, board.sessions[0])
        await board.until_free()
        return board

    return asyncio.run(run())


def tone(seconds: float) -> Samples:
    at = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (0.5 * np.sin(2 * np.pi * 440 * at)).astype(np.float32)


def loud_at_s(sound: Samples) -> Samples:
    """When it is no silence, in hundredths of a second."""
    levels = np.abs(sound[: len(sound) // 480 * 480].reshape(-1, 480)).max(axis=1)
    return np.flatnonzero(levels > 0.1) / 100


def loud_s(sound: Samples) -> float:
    """How many seconds of it are no silence."""
    return len(loud_at_s(sound)) / 100


def test_sound_and_events_come_through() -> None:
    async def talk(board: CallHarness, client: WebRtcClient, session: FakeSession) -> None:
        await client.wait_for("session.created")
        client.send({"type": "one"})
        client.send({"type": "two"})
        await client.wait_for("heard", 2)
        assert session.texts == ['{"type": "one"}', '{"type": "two"}']
        await session.heard(lambda: loud_s(session.sound) > 1.0)

    board = on_a_call(tone(1.2), talk)
    assert board.sessions[0].rates == {48_000}
    assert board.sessions[0].ends == ["closed"]
    assert board.names[0].startswith("rtc_")


def test_nobody_else_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is offered are addresses of this machine, and nothing was asked for them."""

    async def asked(*_: Any) -> None:
        raise AssertionError("a server was asked")

    for name in ("server_reflexive_candidate", "relayed_candidate", "get_or_create_mdns_protocol"):
        monkeypatch.setattr(ice, name, asked)

    async def look(board: CallHarness, client: WebRtcClient, _: FakeSession) -> None:
        assert " typ host" in board.answers[0]
        assert " typ srflx" not in board.answers[0]
        assert "127.0.0.1" in board.answers[0]

    on_a_call(tone(0.1), look)


@pytest.mark.parametrize(
    ("host", "only"), [("127.0.0.2", "127.0.0.1"), ("192.0.2.200", "192.0.2.200"), ("::", None)]
)
def test_which_addresses_are_offered(host: str, only: str | None) -> None:
    from quest22.server.openai.realtime.webrtc.ice import offered_addresses

    found = offered_addresses(host, ["192.0.2.2", "fd00::2"])
    assert (found == [only]) == (only == host)
    if only != host:
        assert found == ["127.0.0.1", "192.0.2.2", "fd00::2"]


def test_a_telephone_is_heard() -> None:
    async def talk(board: CallHarness, client: WebRtcClient, session: FakeSession) -> None:
        await session.heard(lambda: np.abs(session.sound).max() > 0.3)

    def only_pcmu(client: WebRtcClient) -> None:
        codecs = RTCRtpSender.getCapabilities("audio").codecs
        [transceiver] = client.connection.getTransceivers()
        transceiver.setCodecPreferences([each for each in codecs if each.name == "PCMU"])

    board = on_a_call(tone(0.5), talk, prepare=only_pcmu)
    assert board.sessions[0].rates == {8_000}


def test_a_peer_that_vanishes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ice, "CONSENT_INTERVAL", 0.1)

    async def vanish(board: CallHarness, client: WebRtcClient, session: FakeSession) -> None:
        await client.wait_for("session.created")
        agent = client.connection.getSenders()[0].transport.transport._connection
        for protocol in agent._protocols:
            protocol.transport.abort()
        await board.until_free()
        assert session.ends == ["closed"]

    on_a_call(tone(0.1), vanish)


@pytest.mark.parametrize("name", ["stun.example.org", "http://example.org", "turn:x y@z:a"])
def test_ice_servers_are_named(name: str) -> None:
    with pytest.raises(UsageError, match="stun:HOST:PORT"):
        CallHarness(ice_servers=(name,))
    CallHarness(ice_servers=("stun:example.org:3478", "turn:user:secret@example.org:3478"))


@pytest.mark.parametrize("end", ["hang up", "close the channel", "close the connection"])
def test_either_side_may_end_it(end: str) -> None:
    async def finish(board: CallHarness, client: WebRtcClient, session: FakeSession) -> None:
        await client.wait_for("session.created")
        if end == "hang up":
            with pytest.raises(Refusal):
                await board.calls.hang_up(Caller("somebody else"), board.names[0])
            await board.calls.hang_up(CALLER, board.names[0])
            await asyncio.wait_for(client.closed.wait(), 10)
        elif end == "close the channel":
            client.channel.close()
        else:
            await client.connection.close()
        await board.until_free()
        assert session.ends == ["closed"]
        with pytest.raises(Refusal) as caught:
            await board.calls.hang_up(CALLER, board.names[0])
        assert caught.value.status == 404

    on_a_call(tone(0.1), finish)


def test_a_server_that_ends_sends_the_last_words() -> None:
    async def drain(board: CallHarness, client: WebRtcClient, session: FakeSession) -> None:
        await client.wait_for("session.created")
        board.service.begin_drain()
        await client.wait_for("last")
        await asyncio.wait_for(client.closed.wait(), 10)
        assert session.ends == ["drained", "closed"]

    on_a_call(tone(0.1), drain)


def test_a_peer_that_sends_nothing_is_told_that_its_session_has_ended() -> None:
    async def mute(board: CallHarness, client: WebRtcClient, session: FakeSession) -> None:
        await client.wait_for("session.created")
        await session.heard(lambda: True)
        lose_packets(client, lambda: True)
        (error,) = await client.wait_for("error")
        assert error["after_s"] == 1.5
        await asyncio.wait_for(client.closed.wait(), 10)
        assert session.ends == ["expired", "closed"]

    on_a_call(tone(0.1), mute, session_idle_s=1.5)


def test_an_event_comes_after_the_sound_before_it() -> None:
    """A client that commits when it has said all means all of it."""
    track = SpokenTrack(tone(1.0))

    async def commit(board: CallHarness, client: WebRtcClient, session: FakeSession) -> None:
        await client.wait_for("session.created")
        await track.said.wait()
        client.send({"type": "input_audio_buffer.commit"})
        await client.wait_for("heard")
        assert loud_s(session.sound) > 0.9

    on_a_call(tone(0.1), commit, track=track)


@pytest.mark.parametrize("share", [0.02, 0.2])
def test_lost_packets_keep_the_clock(share: float) -> None:
    chance = random.Random(7)

    async def listen(board: CallHarness, client: WebRtcClient, session: FakeSession) -> None:
        await client.wait_for("session.created")
        lose_packets(client, lambda: chance.random() < share)
        await track.said.wait()
        await session.heard(lambda: loud_at_s(session.sound).max(initial=0.0) > 2.8)
        await session.heard(lambda: session.heard_s > loud_at_s(session.sound)[-1] + 0.3)
        at_s = loud_at_s(session.sound)
        assert at_s[-1] - at_s[0] == pytest.approx(3.0, abs=0.2)
        assert loud_s(session.sound) > 1.0 * (1 - share) - 0.2

    pause = np.zeros(2 * SAMPLE_RATE_HZ, np.float32)
    track = SpokenTrack(np.concatenate([tone(0.5), pause, tone(0.5)]))
    on_a_call(tone(0.1), listen, track=track)


def test_a_microphone_that_is_away_is_silent() -> None:
    track = SpokenTrack(tone(0.3))

    async def mute(board: CallHarness, client: WebRtcClient, session: FakeSession) -> None:
        await client.wait_for("session.created")
        await track.said.wait()
        lose_packets(client, lambda: True)
        before_s = session.heard_s
        await session.heard(lambda: session.heard_s > before_s + 1.5)

    on_a_call(tone(0.1), mute, track=track)


def test_a_session_that_is_behind_loses_the_oldest_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_module, "AudioQueue", lambda: AudioQueue(most_s=0.5))

    async def lag(board: CallHarness, client: WebRtcClient, session: FakeSession) -> None:
        await client.wait_for("session.created")
        await session.heard(lambda: True)
        session.goes_on.clear()
        await track.said.wait()
        await asyncio.sleep(0.5)
        session.goes_on.set()
        await session.heard(lambda: session.heard_s > 3.5)
        assert loud_s(session.sound) < 1.0, "silence stands for the rest"
        assert "dropped_audio_seconds_total 0.0" not in board.service.gate.metrics.text().decode()

    track = SpokenTrack(tone(3.0), quiet_s=0.1)
    on_a_call(tone(0.1), lag, track=track)


def test_a_peer_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_module, "CONNECT_TIMEOUT_S", 0.1)

    async def run() -> None:
        board = CallHarness()
        async with waiting_client() as client:
            await board.exchange(client.connection.localDescription.sdp)
            assert board.service.gate.count("live") == 1
            await board.until_free()
        assert board.sessions[0].ends == ["closed"]

    asyncio.run(run())


def test_no_more_calls_than_are_allowed() -> None:
    async def call_again(board: CallHarness, client: WebRtcClient, _: FakeSession) -> None:
        with pytest.raises(Refusal) as caught:
            await board.exchange(client.connection.localDescription.sdp)
        assert caught.value.reason == "overloaded"

    on_a_call(tone(0.1), call_again, max_live=1)


def test_a_flood_of_events_ends_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_channel, "MAX_INCOMING_BYTES", 20 * event_channel.EVENT_COST_BYTES)

    async def flood(board: CallHarness, client: WebRtcClient, session: FakeSession) -> None:
        await client.wait_for("session.created")
        session.goes_on.clear()
        for _ in range(50):
            client.channel.send("{}")
        await asyncio.wait_for(client.closed.wait(), 30)

    on_a_call(tone(0.1), flood)


def test_only_one_channel_is_used() -> None:
    async def open_more(board: CallHarness, client: WebRtcClient, session: FakeSession) -> None:
        await client.wait_for("session.created")
        other = client.connection.createDataChannel("other")
        closed = asyncio.Event()
        other.on("close", closed.set)
        await asyncio.wait_for(closed.wait(), 10)
        client.send({"type": "one"})
        await client.wait_for("heard")

    on_a_call(tone(0.1), open_more)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda sdp: sdp.replace("a=ice-ufrag", "a=other"), id="no ICE user"),
        pytest.param(lambda sdp: sdp.replace("a=fingerprint", "a=other"), id="no fingerprint"),
        pytest.param(lambda sdp: re.sub("(rtpmap:[0-9]+ )", r"\1x-", sdp), id="no codec"),
        pytest.param(lambda sdp: re.sub("m=audio [0-9]+", "m=audio x", sdp), id="no port"),
        pytest.param(lambda sdp: sdp.replace("a=setup:actpass", "a=setup:sideways"), id="no role"),
        pytest.param(lambda sdp: sdp.replace("BUNDLE 0 1", "BUNDLE 7 8 0 1"), id="no such mid"),
        pytest.param(lambda sdp: sdp[: len(sdp) // 2] + "\r\nm=application 9 X y\r\n", id="cut"),
    ],
)
def test_damaged_offers_are_refused(change: Callable[[str], str]) -> None:
    async def run() -> None:
        board = CallHarness()
        async with waiting_client() as client:
            offer = change(client.connection.localDescription.sdp)
            assert offer != client.connection.localDescription.sdp
            with pytest.raises(Refusal) as caught:
                await board.exchange(offer)
        assert caught.value.status == 400
        assert board.service.gate.count("live") == 0

    asyncio.run(run())
