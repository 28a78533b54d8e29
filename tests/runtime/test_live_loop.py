"""Live sessions in a loop, in threads: with faults on every side."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence

import numpy as np
import pytest

from quest22.errors import ClipError, UsageError
from quest22.metrics import Metrics
from quest22.records import Hypothesis, LiveEvent, Transcript, Window
from quest22.runtime.clip_state import MOST_FAILURES
from quest22.runtime.live_session import LiveSession
from quest22.runtime.loop import LoopSettings, TranscriptionLoop
from quest22.settings import LiveSettings
from quest22.settings.clip_options import ClipOptions
from tests.runtime.fake_live import BAD, FakeLiveStrategy, refuse_bad, silence, speech
from tests.runtime.fakes import EchoEngine, clip

ENDS_S = 30.0
LIVE = ClipOptions(live=LiveSettings())


class LiveEngine(EchoEngine):
    """Refuses batches with bad sound."""

    def run(self, windows: Sequence[Window]) -> list[Hypothesis]:
        self.entered.release()
        self.gate.wait()
        self.batches.append([int(window.interim) for window in windows])
        refuse_bad(list(windows))
        return [Hypothesis((0,), "en", 1.0, 0.0, 0.0) for _ in windows]


def loop_of(engine: EchoEngine, **settings: float) -> TranscriptionLoop:
    return TranscriptionLoop(engine, FakeLiveStrategy(), settings=LoopSettings(**settings))  # type: ignore[arg-type]


def said(*seconds: float, level: float = 0.5) -> np.ndarray:  # type: ignore[type-arg]
    """Phrases of so many seconds, each with a pause after it."""
    return np.concatenate(
        [part for each in seconds for part in (speech(each, level), silence(0.5))]
    )


def finals(session: LiveSession) -> list[str]:
    return [event.text for event in session if event.type == "final"]


def test_events_come_as_it_is_said_and_a_transcript_at_the_end() -> None:
    with loop_of(LiveEngine(4)) as loop:
        session = loop.live(clip("live"), LIVE)
        events = iter(session)
        session.feed(speech(1.0))
        assert next(events).type == "interim"
        session.feed(np.concatenate([speech(1.0), silence(0.5)]))
        first = next(event for event in events if event.type == "final")
        assert first.text == "20"
        session.feed(said(3.0))
        session.end()
        assert [event.text for event in events if event.type == "final"] == ["30"]
        assert session.result(ENDS_S).text == "20 30"
        assert session.done


def test_a_flush_makes_what_was_said_final_at_once() -> None:
    with loop_of(LiveEngine(4)) as loop:
        session = loop.live(clip("live"), LIVE)
        session.feed(speech(0.4))
        session.flush()
        assert next(iter(session)).text == "4"
        session.feed(speech(0.7))
        session.end()
        assert session.result(ENDS_S).text == "4 7"


def test_many_sessions_share_the_engine() -> None:
    with loop_of(LiveEngine(4)) as loop:
        sessions = [loop.live(clip(number), LIVE) for number in range(9)]
        feeders = [
            threading.Thread(target=feed_and_end, args=(session, 1.0 + number))
            for number, session in enumerate(sessions)
        ]
        for feeder in feeders:
            feeder.start()
        for feeder in feeders:
            feeder.join(ENDS_S)
        for number, session in enumerate(sessions):
            assert session.result(ENDS_S).text == f"{10 + 10 * number} 20"


def feed_and_end(session: LiveSession, seconds: float) -> None:
    sound = said(seconds, 2.0)
    for start in range(0, len(sound), 1_600):
        session.feed(sound[start : start + 1_600])
    session.end()


def test_a_consumer_that_never_reads_holds_up_nobody() -> None:
    with loop_of(LiveEngine(4)) as loop:
        slow, other = loop.live(clip("slow"), LIVE), loop.live(clip("other"), LIVE)
        for session in (slow, other):
            session.feed(said(*[1.0] * 20))
            session.end()
        assert finals(other) == ["10"] * 20
        assert slow.result(ENDS_S).text == " ".join(["10"] * 20)
        assert finals(slow) == ["10"] * 20


def test_a_feeder_that_floods_waits_and_loses_nothing() -> None:
    engine = LiveEngine(4)
    engine.gate.clear()
    with loop_of(engine, live_s=2.0) as loop:
        session = loop.live(clip("live"), LIVE)
        feeder = threading.Thread(target=flood, args=(session,))
        feeder.start()
        engine.entered.acquire()
        assert session._sound.waiting_s <= 2.0 + 0.5
        engine.gate.set()
        feeder.join(ENDS_S)
        assert session.result(ENDS_S).text == " ".join(["10"] * 100)


def flood(session: LiveSession) -> None:
    for _ in range(100):
        for start in range(0, 24_000, 8_000):
            session.feed(said(1.0)[start : start + 8_000])
    session.end()


def test_a_feeder_that_dies_leaves_others_alone_and_can_be_ended() -> None:
    with loop_of(LiveEngine(4)) as loop:
        dead, other = loop.live(clip("dead"), LIVE), loop.live(clip("other"), LIVE)
        dead.feed(speech(0.3))
        other.feed(said(1.0))
        other.end()
        assert other.result(ENDS_S).text == "10"
        dead.end()
        assert finals(dead) == ["3"]


@pytest.mark.parametrize("beside", [0, 2])
def test_a_window_that_fails_costs_only_its_text(
    beside: int, caplog: pytest.LogCaptureFixture
) -> None:
    engine = LiveEngine(4)
    engine.gate.clear()
    with loop_of(engine) as loop, caplog.at_level(logging.WARNING):
        others = [loop.live(clip(f"other {number}"), LIVE) for number in range(beside)]
        session = loop.live(clip("unlucky"), LIVE)
        for each in others:
            each.feed(said(1.0))
            each.end()
        session.feed(np.concatenate([said(1.0), said(1.5, level=BAD), said(2.0)]))
        session.end()
        engine.gate.set()
        assert finals(session) == ["10", "", "20"]
        assert session.result(ENDS_S).text == "10 20"
        for each in others:
            assert each.result(ENDS_S).text == "10"
    ours = [message for message in caplog.messages if message.startswith("unlucky")]
    assert ours
    assert all("goes on: the engine stumbled" in message for message in ours)
    assert all("\n" not in message for message in ours)


def test_an_engine_that_always_fails_ends_the_session() -> None:
    with loop_of(LiveEngine(4)) as loop:
        session = loop.live(clip("live"), LIVE)
        session.feed(said(*[0.4] * (MOST_FAILURES + 5), level=BAD))
        with pytest.raises(ClipError, match="10 windows in a row failed, the last one: the engine"):
            session.result(ENDS_S)
        with pytest.raises(ClipError, match="10 windows in a row"):
            list(session)
        good = loop.live(clip("good"), LIVE)
        good.feed(said(1.0))
        good.end()
        assert good.result(ENDS_S).text == "10"


def test_the_death_of_the_loop_is_told_to_every_session(caplog: pytest.LogCaptureFixture) -> None:
    engine = LiveEngine(4)
    loop = loop_of(engine)
    sessions = [loop.live(clip(number), LIVE) for number in range(3)]
    loop._scheduler.complete = None  # type: ignore[method-assign, assignment]  # a fault in the core
    sessions[0].feed(said(1.0))
    for session in sessions:
        with pytest.raises(ClipError, match="the loop has ended with an error"):
            session.result(ENDS_S)
        with pytest.raises(ClipError, match="the loop has ended with an error"):
            list(session)
        with pytest.raises(ClipError, match="the loop has ended with an error"):
            session.feed(speech(0.1))
    with pytest.raises(UsageError, match="the loop is closed"):
        loop.live(clip("late"), LIVE)
    assert loop.closed


def test_cancelling_one_session() -> None:
    with loop_of(LiveEngine(4)) as loop:
        gone, other = loop.live(clip("gone"), LIVE), loop.live(clip("other"), LIVE)
        gone.feed(speech(1.0))
        gone.cancel()
        with pytest.raises(ClipError, match="it was cancelled"):
            gone.result(ENDS_S)
        other.feed(said(1.0))
        other.end()
        assert other.result(ENDS_S).text == "10"


def test_closing_the_loop_ends_sessions_with_all_their_text() -> None:
    loop = loop_of(LiveEngine(4))
    session = loop.live(clip("live"), LIVE)
    session.feed(speech(0.8))
    loop.close()
    assert finals(session) == ["8"]
    assert session.result(ENDS_S).text == "8"


def test_in_asynchronous_code() -> None:
    async def listen(session: LiveSession) -> list[LiveEvent]:
        async with session:
            feeding = asyncio.create_task(asyncio.to_thread(feed_and_end, session, 1.0))
            events = [event async for event in session]
            await feeding
            return events

    async def both(loop: TranscriptionLoop) -> list[list[LiveEvent]]:
        sessions = [loop.live(clip(number), LIVE) for number in range(2)]
        return list(await asyncio.gather(*map(listen, sessions)))

    with loop_of(LiveEngine(4)) as loop:
        for events in asyncio.run(both(loop)):
            assert [event.text for event in events if event.type == "final"] == ["10", "20"]


def test_a_live_clip_is_counted_as_others_are() -> None:
    with loop_of(LiveEngine(4)) as loop:
        session = loop.live(clip("live"), LIVE)
        session.feed(said(1.0))
        session.end()
        assert isinstance(session.result(ENDS_S), Transcript)
        loop.close()
        assert loop._metrics.counts()["clips"] == 1


def test_a_session_that_its_caller_drops_is_cancelled() -> None:
    metrics = Metrics()
    with TranscriptionLoop(LiveEngine(4), FakeLiveStrategy(), metrics) as loop:
        session = loop.live(clip("dropped"), LIVE)
        session.feed(speech(1.0))
        del session
        other = loop.live(clip("other"), LIVE)
        other.feed(said(2.0))
        other.end()
        assert other.result(ENDS_S).text == "20"
        assert metrics.counts()["failures"] == 1


def test_the_events_of_a_dropped_session_that_is_iterated_go_on() -> None:
    with loop_of(LiveEngine(4)) as loop:
        session = loop.live(clip("live"), LIVE)
        session.feed(said(1.0))
        session.end()
        events = iter(session)
        del session
        assert [event.text for event in events if event.type == "final"] == ["10"]
