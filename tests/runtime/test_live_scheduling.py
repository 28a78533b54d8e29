"""Many speakers on one engine: what they wait for, on a clock that only counts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, pairwise

import numpy as np
import pytest

from quest22.metrics import Metrics
from quest22.records import Samples
from quest22.runtime.audio_input import AudioQueue
from quest22.runtime.clip_state import LISTEN_S, ClipState, Priority, PulledAudio
from quest22.runtime.scheduler import LIVE_IN_A_ROW, BatchLimits, Scheduler
from tests.runtime.fake_live import STEP_S, FakeLive, silence, speech
from tests.runtime.fakes import BlockLongForm, block, clip
from tests.runtime.live_simulation import Simulation, Speaker

TALK = np.concatenate([speech(4.0), silence(1.0), speech(7.0), silence(2.0)] * 5)
FIXED_S, WINDOW_S = 0.05, 0.1


def talkers(
    number: int, sound: Samples = TALK, **engine: object
) -> tuple[Simulation, list[Speaker]]:
    simulation = Simulation(fixed_s=FIXED_S, window_s=WINDOW_S, **engine)  # type: ignore[arg-type]
    speakers = [simulation.speaks(sound, 0.37 * each) for each in range(number)]
    return simulation, speakers


def endless_file(number: int, priority: Priority = Priority.FILE) -> ClipState:
    sound = PulledAudio(block(float(value)) for value in count())
    state = ClipState(number, clip(number), sound, BlockLongForm(clip(number)), Metrics())
    state.priority = priority
    return state


@pytest.mark.parametrize("number", [1, 3, 6, 12])
def test_what_is_said_is_shown_within_a_round_of_all_speakers(number: int) -> None:
    simulation, speakers = talkers(number)
    simulation.run(80.0)
    round_s = STEP_S + number * (FIXED_S + WINDOW_S)
    for speaker in speakers:
        assert speaker.session.result(0).text == " ".join(["40", "70"] * 5)
        assert float(np.median(speaker.delays())) < 0.1 + round_s
        assert max(speaker.latencies("interim", "committed")) < 0.1 + 2 * FIXED_S + 4 * WINDOW_S
        endpoint_s = 0.3
        assert max(speaker.latencies("final")) < endpoint_s + 0.1 + 5 * (FIXED_S + WINDOW_S)


def test_speakers_are_served_alike() -> None:
    simulation, speakers = talkers(9, speech(60.0))
    simulation.run(60.0)
    shown = [len(speaker.delays(since_s=10.0)) for speaker in speakers]
    assert max(shown) - min(shown) <= 2
    for speaker in speakers:
        times = [at_s for at_s, *_ in speaker.seen]
        assert max(after - before for before, after in pairwise(times)) < 2 * 9 * (
            FIXED_S + WINDOW_S
        )


def test_after_a_stall_latency_is_what_it_was() -> None:
    simulation, speakers = talkers(4, stalls={20.0: 10.0})
    simulation.run(80.0)
    undisturbed, others = talkers(4)
    undisturbed.run(80.0)
    for stalled, other in zip(speakers, others, strict=True):
        assert max(stalled.latencies("interim", "committed", "final")) > 3.0
        since = stalled.latencies("interim", "committed", "final", since_s=32.0)
        assert max(since) <= max(other.latencies("interim", "committed", "final")) + 0.2
        assert stalled.session.result(0).text == other.session.result(0).text


def test_finals_go_first_and_alone() -> None:
    scheduler = Scheduler(16, BatchLimits(live_windows=2))
    states = [opened(number) for number in range(3)]
    for state, queue in states:
        queue.feed(speech(2.0 + state.number))
        scheduler.add(state)
    states[0][1].feed(silence(0.5))
    first = scheduler.next_batch(0.0)
    second = scheduler.next_batch(0.0)
    assert first is not None
    assert second is not None
    assert [(state.number, window.interim) for state, window in first.members] == [(0, False)]
    assert [state.number for state, _ in second.members] == [1, 2]  # neither has had one: by number
    assert scheduler.next_batch(0.0) is None  # one window of each at a time


def opened(number: int) -> tuple[ClipState, AudioQueue]:
    queue = AudioQueue(1e9)
    state = ClipState(number, clip(number), queue, FakeLive(clip(number)), Metrics())
    state.priority = Priority.LIVE_FINAL
    return state, queue


def test_a_preview_holds_all_sound_that_has_come() -> None:
    scheduler = Scheduler(4)
    state, queue = opened(0)
    scheduler.add(state)
    for seconds in (0.3, 0.3, 0.4):
        queue.feed(speech(seconds))
    assert scheduler.next_batch(0.0) is not None
    assert state.unheard_s == 0.0
    assert isinstance(state.live, FakeLive)
    assert state.live.end == 16_000


def test_who_floods_does_not_hold_up_others() -> None:
    scheduler = Scheduler(4)
    flooding, queue = opened(0)
    scheduler.add(flooding)
    for _ in range(100):
        queue.feed(speech(1.0))
    assert scheduler.next_batch(0.0) is not None
    assert isinstance(flooding.live, FakeLive)
    assert flooding.live.end == LISTEN_S * 16_000
    assert scheduler.has_sound


def sizes_of_files(simulation: Simulation, since_s: float, until_s: float) -> set[int]:
    return {
        len(live)
        for at_s, live in simulation.batches
        if since_s <= at_s < until_s and not any(live)
    }


def test_files_go_one_window_at_a_time_while_somebody_speaks() -> None:
    sound = np.concatenate([speech(10.0), silence(20.0)])
    simulation, (speaker,) = talkers(1, sound, batch_size=16)
    simulation.add_file(endless_file(1))
    simulation.add_file(endless_file(2, Priority.INTERACTIVE))
    simulation.run(40.0)
    assert sizes_of_files(simulation, 1.0, 10.0) == {1}
    assert sizes_of_files(simulation, 17.0, 29.0) == {4}  # sound without speech
    assert sizes_of_files(simulation, 36.5, 40.0) == {16}  # an open session that is not fed
    assert max(speaker.latencies("interim", "committed")) < 0.1 + 2 * FIXED_S + 2 * WINDOW_S


def test_a_mixed_batch_never_has_files_beside_speech() -> None:
    simulation, _ = talkers(3)
    simulation.add_file(endless_file(3))
    simulation.run(60.0)
    assert all(len(set(live)) == 1 for _, live in simulation.batches)


def test_files_go_on_however_many_speak() -> None:
    simulation, _ = talkers(12, speech(60.0))
    simulation.add_file(endless_file(12))
    simulation.run(60.0)
    live = [any(batch) for _, batch in simulation.batches]
    assert longest_row(live) <= LIVE_IN_A_ROW
    assert sum(live) > 0.8 * len(live)


def longest_row(values: list[bool]) -> int:
    def rows() -> Iterator[int]:
        row = 0
        for value in values:
            row = row + 1 if value else 0
            yield row

    return max(rows())
