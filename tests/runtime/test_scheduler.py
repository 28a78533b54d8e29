"""The push core: which windows meet in a batch, and what comes of them."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.metrics import Metrics
from quest22.records import Failure, Hypothesis, Partial, Segment, WindowResult
from quest22.runtime.audio_input import AudioQueue
from quest22.runtime.clip_state import ClipState, Priority, PulledAudio
from quest22.runtime.scheduler import (
    Batch,
    BatchLimits,
    ClipDone,
    ClipProgressed,
    Event,
    Scheduler,
)
from tests.runtime.fakes import INTERIM, BlockLongForm, audio, block, clip, text

FINAL, INTERACTIVE, FILE = Priority.LIVE_FINAL, Priority.INTERACTIVE, Priority.FILE


def state(
    number: int,
    values: Sequence[float | None],
    priority: Priority = FILE,
    deadline_s: float | None = None,
    *,
    sequential: bool = False,
) -> ClipState:
    pulled = PulledAudio(audio(number, values).blocks)
    long_form = BlockLongForm(clip(number), sequential)
    return ClipState(number, clip(number), pulled, long_form, Metrics(), priority, deadline_s)


def holding(*clips: ClipState, size: int = 4, limits: BatchLimits | None = None) -> Scheduler:
    scheduler = Scheduler(size, limits)
    for each in clips:
        scheduler.add(each)
    return scheduler


def values(batch: Batch | None) -> list[int]:
    return [] if batch is None else [int(window.samples[0]) for window in batch.windows]


def echo(batch: Batch) -> list[WindowResult]:
    return [
        WindowResult(window.fingerprint, Hypothesis((int(window.samples[0]),), "en", 1.0, 0.0, 0.0))
        for window in batch.windows
    ]


def run(scheduler: Scheduler, now: float = 0.0) -> tuple[list[int], list[Event]]:
    """One batch: its windows, and what came of it."""
    batch = scheduler.next_batch(now)
    return values(batch), [] if batch is None else scheduler.complete(batch, echo(batch))


URGENCY = [
    pytest.param([(FILE, None), (FILE, None)], 0.0, [0, 1], id="in the order they came"),
    pytest.param([(FILE, None), (INTERACTIVE, None)], 0.0, [1, 0], id="by priority"),
    pytest.param([(INTERACTIVE, None), (FINAL, 9.0)], 0.0, [1, 0], id="live first"),
    pytest.param([(FILE, 9.0), (FILE, 5.0), (FILE, None)], 0.0, [1, 0, 2], id="by deadline"),
    pytest.param([(INTERACTIVE, 9.0), (FILE, 1.0)], 0.5, [0, 1], id="only inside a class"),
    pytest.param([(INTERACTIVE, 9.0), (FILE, 1.0)], 1.0, [1, 0], id="a file that is due"),
    pytest.param([(FINAL, 9.0), (FILE, 1.0)], 5.0, [0, 1], id="but not before live sound"),
]


@pytest.mark.parametrize(("clips", "now", "order"), URGENCY)
def test_the_most_urgent_windows_come_first(
    clips: list[tuple[Priority, float | None]], now: float, order: list[int]
) -> None:
    states = [state(number, [number], *each) for number, each in enumerate(clips)]
    assert values(holding(*states).next_batch(now)) == order


def test_interim_windows_wait_behind_final_ones() -> None:
    first, second = state(0, [INTERIM], FINAL), state(1, [2.0, INTERIM + 1], FINAL)
    first.look_further()
    second.look_further()
    assert values(holding(first, second).next_batch(0.0)) == [2, INTERIM + 1, INTERIM]


def test_a_batch_is_not_waited_for() -> None:
    sound = AudioQueue(10.0)
    fed = ClipState(0, clip(0), sound, BlockLongForm(clip(0)), Metrics())
    scheduler = holding(fed)
    assert scheduler.next_batch(0.0) is None
    sound.feed(block(5.0))
    assert scheduler.has_sound
    assert values(scheduler.next_batch(0.0)) == [5]
    assert not scheduler.has_sound


def test_clips_end_with_their_events() -> None:
    scheduler = holding(state(0, [1, 2, 3]), state(1, []), size=2)
    scheduler._clips[0].partials = True
    assert run(scheduler) == ([1, 2], [ClipProgressed(0, partial(1, 2))])
    taken, events = run(scheduler)
    assert taken == [3]
    assert {e.number: text(e.result) for e in events if isinstance(e, ClipDone)} == {
        0: "1 2 3",
        1: "",
    }
    assert (run(scheduler), len(scheduler)) == (([], []), 0)


def partial(*values: int) -> Partial:
    return Partial(tuple(Segment(0.0, 0.0, f" {value}") for value in values))


def test_a_cancelled_clip_ends_and_its_results_are_dropped() -> None:
    scheduler = holding(state(0, [1, 2]), state(1, [3, 4, 5]), size=3)
    batch = scheduler.next_batch(0.0)
    assert values(batch) == [1, 2, 3]
    scheduler.cancel(0)
    scheduler.cancel(7)
    assert batch is not None
    (done,) = scheduler.complete(batch, echo(batch))
    assert isinstance(done, ClipDone)
    assert isinstance(done.result, Failure)
    assert (done.number, done.result.stage) == (0, "cancelled")
    assert run(scheduler)[0] == [4, 5]


def test_files_leave_room_while_others_are_open() -> None:
    limits = BatchLimits(file_windows=1)
    file, request = state(0, range(10)), state(1, [50], INTERACTIVE, sequential=True)
    scheduler = holding(file, size=4, limits=limits)
    assert run(scheduler)[0] == [0, 1, 2, 3]
    scheduler.add(request)
    assert run(scheduler)[0] == [50, 4]
    assert run(scheduler)[0] == [5]  # the request ends here, asked in vain
    assert run(scheduler)[0] == [6, 7, 8, 9]


def test_files_have_one_batch_in_flight() -> None:
    limits = BatchLimits(file_batches=1)
    scheduler = holding(state(0, range(8)), size=2, limits=limits)
    batch = scheduler.next_batch(0.0)
    assert values(batch) == [0, 1]
    assert scheduler.next_batch(0.0) is None
    scheduler.add(state(1, [50], INTERACTIVE))
    assert values(scheduler.next_batch(0.0)) == [50]
    assert batch is not None
    scheduler.complete(batch, echo(batch))
    assert values(scheduler.next_batch(0.0)) == [2]  # one block, as the request is open


def test_requests_share_a_batch() -> None:
    """A long one holds up no short one, and takes what they leave."""
    scheduler = holding(state(0, range(9), INTERACTIVE))
    assert values(scheduler.next_batch(0.0)) == [0, 1]
    scheduler.add(state(1, [50], INTERACTIVE))
    assert values(scheduler.next_batch(0.0)) == [2, 3, 4, 50]


def test_the_first_batch_of_a_request_is_short() -> None:
    """Its first text is there sooner; the batches after that are full."""
    scheduler = holding(state(0, range(9), INTERACTIVE), state(1, range(50, 53), INTERACTIVE))
    batches = [values(scheduler.next_batch(0.0)) for _ in range(3)]
    assert batches == [[0, 1, 50, 51], [2, 3, 4, 52], [5, 6, 7, 8]]


def test_requests_take_turns() -> None:
    scheduler = holding(
        state(0, range(3), INTERACTIVE), state(1, range(50, 53), INTERACTIVE), size=1
    )
    batches = [values(scheduler.next_batch(0.0)) for _ in range(3)]
    scheduler.add(state(2, [90], INTERACTIVE))
    batches += [values(scheduler.next_batch(0.0)) for _ in range(4)]
    assert batches == [[0], [50], [1], [51], [2], [90], [52]]


def test_a_file_takes_little_sound_while_others_are_open() -> None:
    """Its sound is prepared in the same thread, and urgent windows wait meanwhile."""
    file = state(0, range(5))
    request = ClipState(1, clip(1), AudioQueue(9.0), BlockLongForm(clip(1)), Metrics(), INTERACTIVE)
    assert values(holding(file, request).next_batch(0.0)) == [0]


def test_more_clips_come_while_there_is_room() -> None:
    scheduler = Scheduler(3)
    arrivals = iter([state(0, [1]), state(1, [2, 3, 4]), state(2, [5])])

    def more() -> ClipState | None:
        arrival = next(arrivals, None)
        if arrival is not None:
            scheduler.add(arrival)
        return arrival

    assert values(scheduler.next_batch(0.0, more)) == [1, 2, 3]
    assert values(scheduler.next_batch(0.0, more)) == [4, 5]


@given(
    clips=st.lists(
        st.tuples(
            st.lists(st.integers(0, 99), max_size=6),
            st.sampled_from(Priority),
            st.none() | st.floats(0, 9),
            st.booleans(),
        ),
        max_size=8,
    ),
    size=st.integers(1, 4),
    in_flight=st.integers(1, 3),
    limits=st.builds(BatchLimits, st.none() | st.integers(1, 4), st.none() | st.integers(1, 2)),
    seed=st.integers(0, 99),
)
def test_every_clip_ends_once_with_all_its_windows(
    clips: list[tuple[list[int], Priority, float | None, bool]],
    size: int,
    in_flight: int,
    limits: BatchLimits,
    seed: int,
) -> None:
    chance = random.Random(seed)
    scheduler = Scheduler(size, limits)
    waiting = [
        state(number, each[0], each[1], each[2], sequential=each[3])
        for number, each in enumerate(clips)
    ]
    events: list[Event] = []
    running: list[Batch] = []
    while waiting or running or len(scheduler):
        if waiting and chance.random() < 0.5:
            scheduler.add(waiting.pop(0))
        batch = scheduler.next_batch(chance.random() * 9) if len(running) < in_flight else None
        if batch is not None:
            assert 0 < len(batch.members) <= size
            running.append(batch)
        if running and (batch is None or chance.random() < 0.5):
            events += scheduler.complete(running[0], echo(running.pop(0)))
        events += scheduler.take_events()
    results = {event.number: text(event.result) for event in events if isinstance(event, ClipDone)}
    assert len(events) == len(clips)
    assert results == {n: " ".join(map(str, each[0])) for n, each in enumerate(clips)}


def test_how_long_clips_wait_for_a_place() -> None:
    now = 0.0
    scheduler = Scheduler(1)
    for number in (1, 2):
        sound = AudioQueue(9.0, clock=lambda: now)
        sound.feed(block(number))
        sound.flush()
        long_form = BlockLongForm(clip(number))
        scheduler.add(ClipState(number, clip(number), sound, long_form, Metrics(), INTERACTIVE))
    now = 3.0
    first = scheduler.next_batch(now)
    assert first is not None
    assert [(wait.priority, wait.seconds, wait.first) for wait in first.waits] == [
        (INTERACTIVE, 3.0, True)
    ]
    now = 5.0
    scheduler.complete(first, echo(first), now)
    second = scheduler.next_batch(now)
    assert second is not None
    assert [wait.seconds for wait in second.waits] == [5.0]
