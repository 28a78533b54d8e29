"""A session as its caller sees it, with events put in by hand and a clock that stands still."""

from __future__ import annotations

import asyncio
import logging
import threading
from dataclasses import replace

import numpy as np
import pytest

from quest22.errors import ClipError, UsageError
from quest22.records import Failure, LiveEvent, LiveEventType, LiveWord, Origin, Transcript
from quest22.runtime.audio_input import AudioQueue
from quest22.runtime.clip_state import Mark
from quest22.runtime.live_session import KEPT_EVENTS, MOST_EVENTS, LiveSession
from quest22.runtime.scheduler import ClipDone, ClipHeard
from tests.runtime.fake_live import speech

TRANSCRIPT = Transcript("live", "live", "all text", "en", 1.0, 3.0, (), Origin("live"))
FAILURE = Failure("live", "live", "engine", "it broke", Origin("live"))
CANCELLED = replace(FAILURE, stage="cancelled", reason="it was cancelled")


class Opened:
    """A session, its queue, and its clock."""

    def __init__(self, limit_s: float = 30.0) -> None:
        self.now = 50.0
        self.sound = AudioQueue(limit_s)
        self.cancelled: list[bool] = []
        self.session = LiveSession("live", self.sound, self._cancel, lambda: self.now)

    def _cancel(self) -> None:
        self.cancelled.append(True)
        self.sound.stop()

    def hears(self, *events: LiveEvent) -> None:
        self.session.put(ClipHeard(0, events))

    def ends(self, result: Transcript | Failure = TRANSCRIPT) -> None:
        self.sound.stop()
        self.session.put(ClipDone(0, result))

    def texts(self) -> list[tuple[str, str]]:
        return [(event.type, event.text) for event in self.session]


def event(kind: LiveEventType, segment: int, text: str, end_s: float = 1.0) -> LiveEvent:
    words = (LiveWord(0.0, end_s, text, 1.0, kind != "interim"),) if text else ()
    return LiveEvent(kind, segment, 0, text, words, 2.0, "en")


UNREAD = [
    pytest.param([("interim", 0, "a"), ("interim", 0, "a b")], [("interim", "a b")], id="interim"),
    pytest.param(
        [("committed", 0, "a"), ("interim", 0, "a b")], [("committed", "a b")], id="a commit stays"
    ),
    pytest.param(
        [("committed", 0, "a"), ("committed", 0, "a b")], [("committed", "a b")], id="commits"
    ),
    pytest.param([("interim", 0, "a"), ("final", 0, "a b")], [("final", "a b")], id="final"),
    pytest.param(
        [("final", 0, "a"), ("interim", 1, "b"), ("final", 1, "b c"), ("interim", 2, "d")],
        [("final", "a"), ("final", "b c"), ("interim", "d")],
        id="segments",
    ),
    pytest.param(
        [("interim", 0, "a"), ("interim", 1, "b"), ("final", 0, "A"), ("final", 1, "B")],
        [("final", "A"), ("final", "B")],
        id="two at once",
    ),
    pytest.param(
        [
            ("speech_started", 0, ""),
            ("committed", 0, "a"),
            ("interim", 0, "a b"),
            ("speech_stopped", 0, ""),
            ("interim", 0, "a c"),
            ("final", 0, "a c"),
            ("flushed", 1, ""),
            ("speech_started", 1, ""),
            ("speech_stopped", 1, ""),
            ("final", 1, ""),
        ],
        [
            ("speech_started", ""),
            ("committed", "a b"),
            ("speech_stopped", ""),
            ("final", "a c"),
            ("flushed", ""),
            ("speech_started", ""),
            ("speech_stopped", ""),
            ("final", ""),
        ],
        id="the voice keeps its place",
    ),
]


@pytest.mark.parametrize(("events", "read"), UNREAD)
def test_the_newest_event_of_each_segment_waits(
    events: list[tuple[LiveEventType, int, str]], read: list[tuple[str, str]]
) -> None:
    opened = Opened()
    opened.hears(*(event(*each) for each in events))
    opened.ends()
    assert opened.texts() == read
    assert opened.texts() == []
    assert opened.session.done
    assert opened.session.result() is TRANSCRIPT


def test_what_nobody_reads_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    opened = Opened()
    with caplog.at_level(logging.WARNING):
        for segment in range(KEPT_EVENTS + 50):
            opened.hears(event("interim", segment, "a"), event("final", segment, str(segment)))
    opened.ends()
    texts = [text for _, text in opened.texts()]
    assert texts == [str(segment) for segment in range(50, KEPT_EVENTS + 50)]
    assert len(caplog.messages) == 1
    assert "the result will have their text" in caplog.messages[0]


def test_a_session_that_is_flushed_over_and_over_keeps_little() -> None:
    opened = Opened()
    for _ in range(MOST_EVENTS + 50):
        opened.hears(event("flushed", 0, ""))
    opened.ends()
    assert len(opened.texts()) == MOST_EVENTS


def test_latency_counts_from_the_arrival_of_the_last_word() -> None:
    opened = Opened()
    for _ in range(20):
        opened.now += 0.1
        opened.session.feed(speech(0.1))
    opened.now += 0.25
    opened.hears(event("interim", 0, "a", 1.5), event("interim", 1, ""))
    first, second = opened.session._events._events
    assert first.latency_s == pytest.approx(0.75)
    assert second.latency_s is None


def test_latency_is_of_input_at_any_rate() -> None:
    opened = Opened()
    for _ in range(10):
        opened.now += 0.1
        opened.session.feed(np.zeros(4_410, np.int16), 44_100)
    opened.hears(event("interim", 0, "a", 0.5))
    assert opened.session._events._events[0].latency_s == pytest.approx(0.5)


def test_sound_fed_fast_has_no_latency() -> None:
    opened = Opened()
    for _ in range(100):
        opened.session.feed(speech(0.1))
    opened.hears(event("interim", 0, "a", 9.0))
    assert opened.session._events._events[0].latency_s is None


def test_sound_goes_into_the_queue_at_16_khz() -> None:
    opened = Opened()
    assert opened.session.feed(np.zeros(48_000, np.int16), 48_000)
    opened.session.end()
    total = 0
    while (block := opened.sound.next_block()) is not None:
        assert isinstance(block, np.ndarray)
        total += len(block)
    assert total == 16_000


def test_a_long_block_waits_too_and_goes_in_pieces() -> None:
    opened = Opened(limit_s=2.0)
    feeding = threading.Thread(target=opened.session.feed, args=(speech(60.0),), daemon=True)
    feeding.start()
    taken: list[int] = []
    while sum(taken) < 60 * 16_000:
        assert opened.sound.waiting_s <= 3.0
        if opened.sound.available:
            block = opened.sound.next_block()
            assert isinstance(block, np.ndarray)
            taken.append(len(block))
    feeding.join()
    assert max(taken) == 16_000


def test_a_flush_marks_what_was_said_and_the_session_goes_on() -> None:
    opened = Opened()
    opened.session.feed(speech(0.1))
    opened.session.flush()
    opened.session.flush()
    opened.session.feed(speech(0.1))
    opened.session.end()
    blocks = [opened.sound.next_block() for _ in range(4)]
    assert [type(block) for block in blocks] == [np.ndarray, Mark, np.ndarray, type(None)]


def test_garbage_is_refused_and_the_session_goes_on() -> None:
    opened = Opened()
    with pytest.raises(UsageError, match="not finite"):
        opened.session.feed(np.array([np.nan], np.float32))
    assert opened.session.feed(speech(0.1))
    assert opened.sound.waiting_s == pytest.approx(0.1)


def test_after_the_end_nothing_is_fed() -> None:
    opened = Opened()
    opened.session.end()
    opened.session.end()
    with pytest.raises(UsageError, match="after the session's end: open another"):
        opened.session.feed(speech(0.1))
    opened.session.flush()


def test_a_failure_is_told_to_all_sides() -> None:
    opened = Opened()
    opened.hears(event("final", 0, "a"))
    opened.ends(FAILURE)
    events = iter(opened.session)
    assert next(events).text == "a"
    for tells in (lambda: next(events), opened.session.result, opened.session.close):
        with pytest.raises(ClipError, match="it broke"):
            tells()
    with pytest.raises(ClipError, match="it broke"):
        opened.session.feed(speech(0.1))


def test_cancelled() -> None:
    opened = Opened()
    opened.session.cancel()
    assert opened.cancelled
    assert not opened.session.feed(speech(0.1))
    opened.ends(CANCELLED)
    assert list(opened.session) == []
    with pytest.raises(ClipError, match="cancelled"):
        opened.session.result()


def test_a_result_is_waited_for_so_long() -> None:
    with pytest.raises(TimeoutError, match="live: no result within 0 s"):
        Opened().session.result(0)


def test_a_with_block_ends_the_sound_and_waits() -> None:
    opened, closed = Opened(), []
    opened.session.on_close(lambda: closed.append(True))

    def loop() -> None:
        while opened.sound.next_block() is not None:
            pass
        opened.ends()

    with opened.session as session:
        session.feed(speech(0.1))
        thread = threading.Thread(target=loop)
        thread.start()
    thread.join(30)
    assert opened.session.done
    assert closed == [True]


def test_an_error_in_a_with_block_cancels() -> None:
    opened, closed = Opened(), []
    opened.session.on_close(lambda: closed.append(True))
    with pytest.raises(KeyError), opened.session:
        raise KeyError
    assert (opened.cancelled, closed) == ([True], [True])


def test_has_room_until_too_much_waits() -> None:
    opened = Opened(limit_s=0.15)
    opened.session.feed(speech(0.1))
    assert opened.session.has_room
    opened.session.feed(speech(0.1))
    assert not opened.session.has_room


def test_in_asynchronous_code() -> None:
    opened = Opened()

    async def listen() -> list[str]:
        async with opened.session as session:
            loop = asyncio.get_running_loop()
            loop.call_soon(opened.hears, event("final", 0, "a"))
            loop.call_soon(opened.ends)
            return [event.text async for event in session]

    assert asyncio.run(listen()) == ["a"]


def test_a_failure_in_asynchronous_code() -> None:
    opened = Opened()
    opened.ends(FAILURE)

    async def listen() -> None:
        async for _ in opened.session:
            pass

    with pytest.raises(ClipError, match="it broke"):
        asyncio.run(listen())
