"""Segments by frames of 32 ms.

``#`` is speech, ``.`` silence, ``-`` between the thresholds, ``,`` soft.
"""

from __future__ import annotations

import pytest

from quest22.longform.live.endpointing import (
    FRAME_S,
    Endpointer,
    EndpointRules,
    Signal,
    SpeechMemory,
    frames_of,
)

LEVELS = {"#": 0.9, ".": 0.1, "-": 0.4, ",": 0.25}
LETTERS = {
    Signal.NONE: " ",
    Signal.OPENED: "o",
    Signal.PAUSED: "p",
    Signal.RESUMED: "r",
    Signal.MAY_END: "m",
    Signal.SHOULD_END: "s",
    Signal.ENDED: "e",
}


def signals(frames: str, soon: int = 4, most: int = 4) -> str:
    endpointer = Endpointer(EndpointRules(eager=2, soon=soon, silence=4, most=most))
    return "".join(LETTERS[endpointer.feed(LEVELS[each])] for each in frames)


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ("......", "      "),
        ("###....", "  o p e"),
        ("#.#.#....", "    o p e"),
        ("##.......##......", "                 "),  # two knocks
        ("####..###....", "  o  p  r p e"),
        ("####..#.......", "  o  p e      "),  # a knock in the pause
        ("####...#......", "  o  p  e     "),
        ("###-----....", "  o      p e"),  # fading out
        ("---###....", "     o p e"),
        ("###....###....", "  o p e  o p e"),
    ],
)
def test_what_frames_mean(frames: str, expected: str) -> None:
    assert signals(frames) == expected


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ("###....", "  o pme"),
        ("###..#.......", "  o p e      "),  # a knock in the pause
    ],
)
def test_when_a_segment_may_end_before_the_silence_is_long(frames: str, expected: str) -> None:
    assert signals(frames, soon=3) == expected


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ("###......", "  o pmsse"),
        ("###....###....", "  o pms  r pms"),
        ("###.....#....", "  o pmss e   "),  # a knock in the pause
    ],
)
def test_when_a_segment_should_end_unless_the_sentence_goes_on(frames: str, expected: str) -> None:
    assert signals(frames, soon=3, most=6) == expected


def test_an_ended_segment_is_not_open() -> None:
    endpointer = Endpointer(EndpointRules(eager=2, soon=4, silence=4, most=9))
    for each in "###....":
        endpointer.feed(LEVELS[each])
    endpointer.end()
    assert not endpointer.is_open
    assert endpointer.is_silent
    assert [endpointer.feed(LEVELS[each]) for each in "###"][-1] is Signal.OPENED


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ("###....", "  o p m"),
        ("###,,..", "  o  pm"),  # the end of a word may still come
        ("###.,..", "  o  pm"),
        ("###,.,.", "  o p m"),
        ("###,,,,", "  o   p"),  # at the latest when it may end
        ("###,,,,.", "  o   pm"),
    ],
)
def test_a_last_window_waits_for_a_quiet_frame(frames: str, expected: str) -> None:
    endpointer = Endpointer(EndpointRules(eager=2, soon=4, silence=9))
    assert "".join(LETTERS[endpointer.feed(LEVELS[each])] for each in frames) == expected


def test_where_speech_begins_and_ends() -> None:
    endpointer = Endpointer(EndpointRules())
    for each in "..#.###.":
        endpointer.feed(LEVELS[each])
    assert (endpointer.speech_start, endpointer.speech_end) == (2, 7)
    assert endpointer.is_open
    assert not endpointer.is_silent


def test_a_segment_that_is_closed_is_followed_by_another() -> None:
    endpointer = Endpointer(EndpointRules())
    for each in "####":
        endpointer.feed(LEVELS[each])
    endpointer.close()
    assert not endpointer.is_open
    assert [endpointer.feed(0.9) for _ in range(3)][-1] is Signal.OPENED
    assert endpointer.speech_start == 4


@pytest.mark.parametrize(("milliseconds", "frames"), [(0, 1), (32, 1), (100, 3), (300, 9)])
def test_milliseconds_as_frames(milliseconds: int, frames: int) -> None:
    assert frames_of(milliseconds) == frames


def test_how_much_speech_lies_between_two_times() -> None:
    memory = SpeechMemory(0.5, remembered_s=10 * FRAME_S)
    for frame in range(20):
        memory.add(0.9 if frame % 2 else 0.1, frame)
    assert memory.end_s == 19 * FRAME_S
    assert memory.between(12 * FRAME_S, 16 * FRAME_S) == 2 * FRAME_S
    assert memory.between(0.0, 20 * FRAME_S) == 5 * FRAME_S  # the others are forgotten
    assert memory.between(30 * FRAME_S, 40 * FRAME_S) == 0
