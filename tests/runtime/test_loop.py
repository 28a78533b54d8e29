"""The loop, with an engine whose batches wait at a gate: nothing here depends on time."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quest22.errors import UsageError
from quest22.records import Audio, Failure, Samples, Transcript
from quest22.runtime.clip_handle import ClipHandle
from quest22.runtime.clip_state import Priority
from quest22.runtime.loop import LoopSettings, TranscriptionLoop
from quest22.runtime.scheduler import ClipDone, ClipProgressed
from quest22.settings import DecodingSettings
from quest22.settings.clip_options import ClipOptions
from tests.runtime.fakes import (
    POISON,
    BlockStrategy,
    EchoEngine,
    PipelinedEcho,
    audio,
    block,
    clip,
    text,
)

ENDS_S = 30.0
"""What ends at all ends long before; a test that hangs fails."""

ONE_BLOCK = LoopSettings(session_s=1 / 16_000)


def result(handle: ClipHandle) -> str:
    return text(handle.result(ENDS_S))


def committed(handle: ClipHandle, count: int) -> None:
    """Wait until so many segments of a clip are committed."""
    for event in handle:
        assert isinstance(event, ClipProgressed)
        if len(event.partial.committed) >= count:
            return


@pytest.mark.parametrize("engine", [EchoEngine(4), PipelinedEcho(4)])
def test_clips_and_sessions_are_transcribed(engine: EchoEngine) -> None:
    with TranscriptionLoop(engine, BlockStrategy()) as loop:
        file = loop.add(audio("file", [1, 2, 3]), priority=Priority.FILE)
        session = loop.open(clip("live"))
        for value in (4, 5):
            assert session.feed(block(value))
        session.flush()
        assert result(file) == "1 2 3"
        assert result(session) == "4 5"
        assert file.done


def test_a_window_runs_before_its_batch_is_full_and_is_known_at_once() -> None:
    with TranscriptionLoop(EchoEngine(8), BlockStrategy()) as loop:
        session = loop.open(clip("live"))
        for count in range(1, 4):
            session.feed(block(count))
            committed(session, count)
        session.flush()
        *_, done = session
        assert isinstance(done, ClipDone)
        assert text(done.result) == "1 2 3"
        assert list(session) == []


def test_an_urgent_window_waits_for_the_batch_in_the_engine_and_no_other() -> None:
    engine = EchoEngine(2)
    engine.gate.clear()
    with TranscriptionLoop(engine, BlockStrategy()) as loop:
        file = loop.open(clip("file"), priority=Priority.FILE)
        for value in range(6):
            file.feed(block(value))
        engine.entered.acquire()
        request = loop.open(clip("request"), priority=Priority.INTERACTIVE)
        request.feed(block(50))
        request.flush()
        live = loop.open(clip("live"))
        live.feed(block(60))
        live.flush()
        engine.gate.set()
        file.flush()
        assert [result(each) for each in (live, request)] == ["60", "50"]
        assert result(file) == "0 1 2 3 4 5"
    first, second, *_ = engine.batches
    assert set(first) <= {0, 1}
    assert second == [60, 50]


def test_the_earlier_deadline_comes_first() -> None:
    engine = EchoEngine(1)
    engine.gate.clear()
    with TranscriptionLoop(engine, BlockStrategy(), clock=lambda: 0.0) as loop:
        handles = [loop.add(audio("first", [1]))]
        engine.entered.acquire()
        for value, within_s in ((2, None), (3, 9.0), (4, 5.0)):
            session = loop.open(clip(value), priority=Priority.INTERACTIVE, within_s=within_s)
            session.feed(block(value))
            session.flush()
            handles.append(session)
        engine.gate.set()
        assert [result(each) for each in handles] == ["1", "2", "3", "4"]
    assert engine.batches == [[1], [4], [3], [2]]


@pytest.mark.parametrize("engine", [EchoEngine(4), PipelinedEcho(4)])
def test_a_clip_that_fails_fails_alone(engine: EchoEngine) -> None:
    with TranscriptionLoop(engine, BlockStrategy()) as loop:
        handles = [
            loop.add(audio(key, values))
            for key, values in enumerate([[1, 2], [3, POISON], [4, None], [5]])
        ]
        assert [result(each) for each in handles] == [
            "1 2",
            "poisoned window",
            "broken block",
            "5",
        ]


def test_an_error_that_nobody_expected_ends_its_clip_alone() -> None:
    def blocks() -> Iterator[Samples]:
        yield block(1)
        raise ValueError("a fault")

    with TranscriptionLoop(EchoEngine(4), BlockStrategy()) as loop:
        bad = loop.add(Audio(clip("bad"), blocks()))
        good = loop.add(audio("good", [2]))
        assert (result(bad), result(good)) == ("ValueError: a fault", "2")


def test_options_that_cannot_be_carried_out_are_refused_at_once() -> None:
    with TranscriptionLoop(EchoEngine(4), BlockStrategy()) as loop:
        with pytest.raises(UsageError, match="'xx'"):
            loop.open(clip("bad"), ClipOptions(DecodingSettings("xx")))
        assert result(loop.add(audio("good", [2]))) == "2"


def test_cancelled_in_the_engine() -> None:
    engine = EchoEngine(1)
    engine.gate.clear()
    with TranscriptionLoop(engine, BlockStrategy()) as loop:
        session = loop.open(clip("gone"))
        session.feed(block(1))
        engine.entered.acquire()
        session.cancel()
        assert not session.feed(block(2))
        engine.gate.set()
        ended = session.result(ENDS_S)
        session.cancel()  # again, in vain
        assert isinstance(ended, Failure)
        assert ended.stage == "cancelled"
        assert result(loop.add(audio("next", [3]))) == "3"


def test_feeding_waits_while_too_much_sound_is_not_taken() -> None:
    engine = EchoEngine(1)
    engine.gate.clear()
    with TranscriptionLoop(engine, BlockStrategy(sequential=True), settings=ONE_BLOCK) as loop:
        session = loop.open(clip("live"))
        session.feed(block(1))
        engine.entered.acquire()
        session.feed(block(2))
        assert not session.has_room
        feeder = threading.Thread(target=lambda: session.feed(block(3)))
        feeder.start()
        engine.gate.set()
        feeder.join(ENDS_S)
        session.flush()
        assert result(session) == "1 2 3"


def test_closing_ends_what_is_open_and_takes_no_more() -> None:
    loop = TranscriptionLoop(EchoEngine(2), BlockStrategy())
    file, session = loop.add(audio("file", range(9))), loop.open(clip("live"))
    session.feed(block(50))
    loop.close()
    assert (result(file), result(session)) == ("0 1 2 3 4 5 6 7 8", "50")
    with pytest.raises(UsageError, match="closed"):
        loop.add(audio("late", [1]))
    loop.close()


def test_an_error_in_the_with_block_cancels() -> None:
    loop = TranscriptionLoop(EchoEngine(2), BlockStrategy())
    session = loop.open(clip("live"))
    with pytest.raises(KeyError), loop:
        raise KeyError
    ended = session.result(ENDS_S)
    assert isinstance(ended, Failure)
    assert ended.stage == "cancelled"


def test_events_come_to_asynchronous_code_too() -> None:
    async def listen(handle: ClipHandle) -> list[object]:
        return [event async for event in handle]

    async def both(loop: TranscriptionLoop) -> list[list[object]]:
        session, file = loop.open(clip("live")), loop.add(audio("file", [1]))
        listening = [asyncio.create_task(listen(each)) for each in (session, file)]
        await asyncio.to_thread(session.feed, block(2))
        session.flush()
        return list(await asyncio.gather(*listening))

    with TranscriptionLoop(EchoEngine(2), BlockStrategy()) as loop:
        live, file = asyncio.run(both(loop))
    for events, expected in ((live, "2"), (file, "1")):
        assert isinstance(events[-1], ClipDone)
        assert text(events[-1].result) == expected


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 9**6),
    batch_size=st.integers(1, 4),
    pipelined=st.booleans(),
    sequential=st.booleans(),
)
def test_many_threads_add_feed_and_cancel(
    seed: int, batch_size: int, pipelined: bool, sequential: bool
) -> None:
    engine = (PipelinedEcho if pipelined else EchoEngine)(batch_size)
    loop = TranscriptionLoop(engine, BlockStrategy(sequential), settings=ONE_BLOCK)
    threads = [_Client(loop, random.Random(f"{seed} {number}")) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(ENDS_S)
    loop.close()
    for thread in threads:
        assert len(thread.ended) == len(thread.expected)
        for ended, expected in zip(thread.ended, thread.expected, strict=True):
            cancelled = isinstance(ended, Failure) and ended.stage == "cancelled"
            assert text(ended) == expected or (cancelled and thread.cancels)


class _Client(threading.Thread):
    """A caller who adds clips of all kinds; some of them get cancelled."""

    def __init__(self, loop: TranscriptionLoop, chance: random.Random) -> None:
        super().__init__(daemon=True)
        self.loop = loop
        self.chance = chance
        self.cancels = chance.random() < 0.5
        self.expected: list[str] = []
        self.ended: list[Transcript | Failure] = []

    def run(self) -> None:
        handles: list[ClipHandle] = []
        for number in range(5):
            values = [self.chance.randrange(100) for _ in range(self.chance.randrange(4))]
            handles.append(self.enter(f"{self.name} {number}", values))
            if self.cancels and self.chance.random() < 0.3:
                self.chance.choice(handles).cancel()
            self.expected.append(" ".join(map(str, values)))
        self.ended = [self.wait(handle) for handle in handles]

    def enter(self, key: str, values: list[int]) -> ClipHandle:
        priority = self.chance.choice(list(Priority))
        within_s = self.chance.choice([None, 0.0, 5.0])
        if self.chance.random() < 0.5:
            return self.loop.add(audio(key, values), priority=priority, within_s=within_s)
        session = self.loop.open(clip(key), priority=priority, within_s=within_s)
        for value in values:
            session.feed(block(value))
        session.flush()
        return session

    def wait(self, handle: ClipHandle) -> Transcript | Failure:
        if self.chance.random() < 0.5:
            return handle.result(ENDS_S)
        *progress, done = handle
        assert all(isinstance(event, ClipProgressed) for event in progress)
        assert isinstance(done, ClipDone)
        return done.result


def test_how_long_the_first_newcomer_waits() -> None:
    """Also one that comes while a batch runs."""
    now = 0.0
    engine = EchoEngine(1)
    engine.gate.clear()
    with TranscriptionLoop(engine, BlockStrategy(), clock=lambda: now) as loop:
        first = loop.open(clip("first"), priority=Priority.INTERACTIVE)
        assert loop.newcomers_wait_s == 0.0  # it has no sound yet
        first.feed(block(1))
        assert engine.entered.acquire(timeout=ENDS_S)
        second = loop.open(clip("second"), priority=Priority.INTERACTIVE)
        second.feed(block(2))
        now = 7.0
        assert loop.newcomers_wait_s == 7.0
        engine.gate.set()
        for session in (first, second):
            session.flush()
            result(session)
        assert loop.newcomers_wait_s == 0.0
