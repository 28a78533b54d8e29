from __future__ import annotations

import asyncio

import pytest

from quest22.records import Failure, Origin, Partial
from quest22.runtime.audio_input import AudioQueue
from quest22.runtime.clip_handle import ClipHandle, Session
from quest22.runtime.scheduler import ClipDone, ClipProgressed
from tests.runtime.fakes import block

DONE = ClipDone(0, Failure("key", "name", "audio", "broken", Origin("test")))


def progress(text: str) -> ClipProgressed:
    return ClipProgressed(0, Partial((), text))


def handle() -> ClipHandle:
    return ClipHandle("key", lambda: None)


def test_the_last_progress_and_the_end_wait_to_be_taken() -> None:
    clip = handle()
    for event in (progress("a"), progress("a b"), DONE):
        clip.put(event)
    assert list(clip) == [progress("a b"), DONE]
    assert list(clip) == []
    assert clip.done
    assert clip.result() is DONE.result


def test_a_result_is_waited_for_so_long() -> None:
    with pytest.raises(TimeoutError, match="key: no result within 0 s"):
        handle().result(0)


def test_asynchronous_code_sees_events_as_they_come() -> None:
    async def listen() -> list[object]:
        clip = handle()
        task = asyncio.create_task(put_all(clip))
        events: list[object] = [event async for event in clip]
        await task
        return events

    async def put_all(clip: ClipHandle) -> None:
        for event in (progress("a"), progress("a b"), DONE):
            await asyncio.to_thread(clip.put, event)
            await asyncio.sleep(0)

    events = asyncio.run(listen())
    assert events[-1] == DONE
    assert set(map(str, events[:-1])) <= {str(progress("a")), str(progress("a b"))}


def test_a_consumer_that_has_left_is_no_harm() -> None:
    clip = handle()

    async def leave() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(anext(aiter(clip)), 0.01)

    asyncio.run(leave())
    clip.put(DONE)
    assert list(clip) == [DONE]


def test_a_session_feeds_its_sound_and_cancels() -> None:
    cancelled: list[bool] = []
    sound = AudioQueue(1.0)
    session = Session("key", lambda: cancelled.append(True), sound)
    assert session.has_room
    assert session.feed(block(1))
    session.flush()
    session.cancel()
    assert sound.next_block() == block(1)
    assert (sound.next_block(), cancelled) == (None, [True])
