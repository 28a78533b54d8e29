"""Where frames belong in time."""

from __future__ import annotations

import pytest

from quest22.server.openai.realtime.webrtc.track_clock import (
    MAX_AHEAD_S,
    SILENCE_LAG_S,
    TICKS_HZ,
    TrackClock,
)

FRAME = TICKS_HZ // 50


def placed(clock: TrackClock, at: int, now_s: float) -> int | None:
    """Place frame number ``at``."""
    return clock.place(1000 + at * FRAME, FRAME, now_s)


@pytest.mark.parametrize(
    ("numbers", "missing"),
    [
        pytest.param([0, 1, 2], [0, 0, 0], id="all came"),
        pytest.param([0, 2, 3], [0, 1, 0], id="one is lost"),
        pytest.param([0, 10, 30], [0, 9, 19], id="many are lost"),
    ],
)
def test_lost_frames_leave_their_place(numbers: list[int], missing: list[int]) -> None:
    clock = TrackClock()
    assert [placed(clock, n, n / 50) for n in numbers] == [each * FRAME for each in missing]


def test_a_sender_who_claims_hours_begins_anew() -> None:
    clock = TrackClock()
    placed(clock, 0, 0.0)
    assert placed(clock, 50 * 3600, 0.02) == 0
    assert placed(clock, 50 * 3600 + 1, 0.04) == 0


def test_a_sender_may_count_back() -> None:
    clock = TrackClock()
    placed(clock, 500, 0.0)
    assert placed(clock, 3, 0.02) == 0
    assert placed(clock, 5, 0.06) == FRAME


def test_sound_that_is_faster_than_speech_is_left_out() -> None:
    clock = TrackClock()
    taken = [placed(clock, n, 0.0) is not None for n in range(1000)]
    assert sum(taken) == MAX_AHEAD_S * 50
    assert placed(clock, 1001, 1.0) is not None, "a second later there is room again"


def test_a_track_that_sends_nothing_is_silent() -> None:
    clock = TrackClock()
    assert clock.idle(100.0) == 0, "it has not begun"
    placed(clock, 0, 0.0)
    assert clock.idle(0.9) == 0
    assert clock.idle(3.0) == round((3.0 - SILENCE_LAG_S) * TICKS_HZ) - FRAME
    assert clock.idle(3.5) == TICKS_HZ // 2
    assert placed(clock, 200, 4.0) == TICKS_HZ, "what its own clock has gained meanwhile"


def test_late_sound_is_not_lost() -> None:
    clock = TrackClock()
    placed(clock, 0, 0.0)
    clock.idle(3.0)
    assert [placed(clock, n, 3.1) for n in (1, 2, 3)] == [0, 0, 0]
