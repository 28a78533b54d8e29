"""Errors of joined recordings in each, of words committed early, and what chance makes of them."""

from __future__ import annotations

import pytest

from benchmarks.live_errors import (
    Recorded,
    committed_units,
    difference_bounds,
    differences,
    errors_by_recording,
)
from quest22.evaluation.score import ErrorRate
from quest22.records import LiveEvent, LiveEventType, LiveWord


def event(kind: LiveEventType, *words: tuple[str, bool]) -> LiveEvent:
    """Words of half a second each; True: it is stable."""
    said = tuple(
        LiveWord(0.5 * at, 0.5 * (at + 1), f" {text}", 0.9, stable)
        for at, (text, stable) in enumerate(words)
    )
    return LiveEvent(kind, 0, 0, " ".join(word for word, _ in words), said, 2.0)


SESSION = [
    event("interim", ("won", False)),
    event("committed", ("one", True), ("two", False)),
    event("final", ("One,", True), ("two", True)),
]


@pytest.mark.parametrize(
    ("reference", "total", "errors"),
    [
        ("one two", 1, 0),
        ("one three four", 1, 0),  # what is wrong was not committed before the end
        ("won two", 1, 1),
        ("zero one two", 2, 1),  # left out before a committed word
        ("two", 0, 1),
    ],
)
def test_errors_of_what_was_committed_early(reference: str, total: int, errors: int) -> None:
    (committed,) = errors_by_recording([reference], *in_german(committed_units(SESSION, "de")))
    assert (committed.total, committed.errors) == (total, errors)


def test_an_open_end_is_no_word() -> None:
    session = [event("final", ("one...", True))]
    assert committed_units(session, "en") == (["one"], [False])


def in_german(units: tuple[list[str], list[bool]]) -> tuple[list[str], str, list[bool]]:
    heard, is_early = units
    return heard, "de", is_early


@pytest.mark.parametrize(
    ("heard", "errors"),
    [
        ("one two three", [0, 0]),
        ("one too three", [1, 0]),
        ("one three", [1, 0]),
        ("one two three four", [0, 1]),
        ("one two or three", [1, 0]),  # behind which word it was said, nobody knows
        ("or one two three", [1, 0]),
        ("", [2, 1]),
    ],
)
def test_errors_of_joined_recordings_belong_to_them(heard: str, errors: list[int]) -> None:
    found = errors_by_recording(["one two", "three"], heard.split(), "de")
    assert [each.errors for each in found] == errors
    assert [each.total for each in found] == [2, 1]


def recordings(*live_errors: int) -> list[Recorded]:
    """Of ten words each, one of which is wrong offline."""
    known = ErrorRate(hits=9, substitutions=1)
    return [
        Recorded(known, ErrorRate(hits=10 - errors, substitutions=errors), ErrorRate())
        for errors in live_errors
    ]


@pytest.mark.parametrize(
    ("live_errors", "low", "high"),
    [
        ([1] * 40, 0.0, 0.0),
        ([2] * 40, 0.1, 0.1),
        ([0, 2] * 20, -0.04, 0.04),
    ],
)
def test_the_bounds_of_a_difference(live_errors: list[int], low: float, high: float) -> None:
    assert difference_bounds(recordings(*live_errors), "final") == pytest.approx(
        (low, high), abs=0.02
    )


def test_one_recording_has_no_bounds() -> None:
    assert difference_bounds(recordings(2), "final") is None
    (line,) = differences(recordings(2))
    assert line.startswith("final − offline: +10.0%; 2 errors in 10 words, offline 1 in 10")
