from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest

from quest22.errors import EngineError
from quest22.metrics import Metrics
from quest22.records import (
    Damage,
    DecodingOptions,
    Failure,
    Hypothesis,
    ReplayedBatch,
    Transcript,
    Window,
    WindowResult,
)
from quest22.runtime.audio_input import AudioQueue
from quest22.runtime.clip_state import ClipReplay, ClipState, PulledAudio
from tests.runtime.fakes import BlockLongForm, audio, block, clip


def opened(
    values: Sequence[float | None],
    *,
    sequential: bool = False,
    contained: type[Exception] | None = None,
) -> ClipState:
    pulled = PulledAudio(audio("key", values).blocks)
    state = ClipState(0, clip("key"), pulled, BlockLongForm(clip("key"), sequential), Metrics())
    state.contained = contained or state.contained
    return state


def echo(window: Window) -> WindowResult:
    hypothesis = Hypothesis((int(window.samples[0]),), "en", 1.0, 0.0, 0.0)
    return WindowResult(window.fingerprint, hypothesis)


def drained(state: ClipState) -> list[int]:
    values = []
    while (window := state.next_window()) is not None:
        values.append(int(window.samples[0]))
        state.add_result(window, echo(window))
    return values


@pytest.mark.parametrize("sequential", [True, False])
def test_windows_until_the_transcript(sequential: bool) -> None:
    state = opened([1, 2, 3], sequential=sequential)
    assert drained(state) == [1, 2, 3]
    assert isinstance(state.result, Transcript)
    assert state.result.text == "1 2 3"


def test_only_so_many_blocks_are_taken() -> None:
    state = opened([1, 2])
    assert state.next_window(0) is None
    assert state.can_take_audio
    assert state.next_window(1) is not None


def test_sound_that_is_not_there_yet_is_not_waited_for() -> None:
    sound = AudioQueue(1.0)
    state = ClipState(0, clip("key"), sound, BlockLongForm(clip("key")), Metrics())
    assert state.next_window() is None
    sound.feed(block(1))
    sound.flush()
    assert drained(state) == [1]
    assert state.result is not None


def test_an_error_of_the_sound_is_a_failure() -> None:
    state = opened([1, None])
    assert drained(state) == [1]
    assert isinstance(state.result, Failure)
    assert (state.result.stage, state.result.reason) == ("audio", "broken block")


@pytest.mark.parametrize("kind", [EngineError, MemoryError])
def test_the_runs_own_errors_are_raised_unless_they_are_contained(kind: type[Exception]) -> None:
    def broken(_samples: object) -> list[Window]:
        raise kind("a fault")

    state = opened([1])
    state.long_form.feed = broken
    with pytest.raises(kind):
        state.next_window()
    state = opened([1], contained=Exception)
    state.long_form.feed = broken
    assert state.next_window() is None
    assert isinstance(state.result, Failure)
    assert (state.result.stage, state.result.reason) == ("longform", "a fault")


def test_what_nobody_foresaw_ends_its_clip_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_samples: object) -> list[Window]:
        raise IndexError("a fault\non two lines")

    state = opened([1])
    state.long_form.feed = broken
    with caplog.at_level(logging.DEBUG, "quest22"):
        assert state.next_window() is None
    assert isinstance(state.result, Failure)
    assert state.result.stage == "longform"
    assert state.result.reason == "IndexError: a fault on two lines"
    assert caplog.records[0].levelno == logging.DEBUG
    assert caplog.records[0].exc_info


def test_a_transcript_says_what_is_missing_of_the_sound() -> None:
    state = opened([1])
    state.damage = [Damage(0.5, 0.7, "a hole")]
    window = state.next_window()
    assert window is not None
    state.add_result(window, echo(window))
    state.next_window()
    assert isinstance(state.result, Transcript)
    assert state.result.damage == (Damage(0.5, 0.7, "a hole"),)


def test_progress_is_told_once() -> None:
    state = opened([1, 2])
    assert state.new_partial() is None
    window = state.next_window()
    assert window is not None
    state.add_result(window, echo(window))
    partial = state.new_partial()
    assert partial is not None
    assert partial.text == "1"
    assert state.new_partial() is None
    drained(state)
    assert state.new_partial() is None


def test_a_second_of_sound_counts_once() -> None:
    state = opened([])
    long = Window(block(*range(16_000)), 0.0, DecodingOptions())
    state.count_processed(long)
    state.count_processed(replace(long, start_s=0.5))
    state.count_processed(long)
    assert state.metrics.counts()["processed_s"] == 1.5


def noted(*values: int, exhausted: bool = False, **fields: object) -> ReplayedBatch:
    windows = [Window(block(value), 0.0, DecodingOptions(), value) for value in values]
    return ReplayedBatch(tuple(map(echo, windows)), exhausted, **fields)  # type: ignore[arg-type]


def test_a_clip_does_again_what_it_did() -> None:
    state = opened(range(4))
    replay = ClipReplay(state)
    assert replay.repeat(noted(0, 1))
    assert replay.repeat(noted(2, exhausted=False))
    assert drained(state) == [3]
    assert isinstance(state.result, Transcript)
    assert state.result.text == "0 1 2 3"


def test_windows_that_have_changed_wait_to_run() -> None:
    state = opened([5, 1])
    assert not ClipReplay(state).repeat(noted(0, 1))
    assert drained(state) == [5, 1]


def test_a_sound_that_had_ended_ends() -> None:
    state = opened([])
    assert ClipReplay(state).repeat(ReplayedBatch((), exhausted=True))
    assert isinstance(state.result, Transcript)


def test_a_batch_that_began_runs_until_its_results_come() -> None:
    state = opened(range(2))
    replay = ClipReplay(state)
    begun = noted(0, batch=7, begun=True)
    assert replay.repeat(begun)
    assert [window.index for window in replay.running[7]] == [0]
    assert replay.repeat(noted(1, batch=8, begun=True, exhausted=True))
    assert replay.repeat(noted(0, batch=7))
    assert list(replay.running) == [8]
    assert replay.repeat(noted(1, batch=8))
    assert isinstance(state.result, Transcript)
