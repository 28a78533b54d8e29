"""Where speech starts and stops, told in order with the text; off by default."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.records import SAMPLE_RATE_HZ, Hypothesis, LiveEvent, Window
from quest22.settings import LiveSettings
from tests.longform.live.spoken import Listener, Said, Session, loudness, opened, run, sound, talk

TOLD = LiveSettings(voice_events=True)
TEXTS = ("interim", "committed", "final")


def kinds(events: list[LiveEvent]) -> list[tuple[str, int]]:
    """All but the words on their way."""
    return [(each.type, each.segment) for each in events if each.type not in TEXTS[:2]]


def test_speech_starts_and_stops_around_each_text() -> None:
    said = talk(0.5, 1.0)
    session, _ = run(said, live=TOLD)
    assert kinds(session.events) == [
        ("speech_started", 0),
        ("speech_stopped", 0),
        ("final", 0),
        ("speech_started", 1),
        ("speech_stopped", 1),
        ("final", 1),
    ]
    places = [each.audio_end_s for each in session.events if each.type not in TEXTS]
    expected = [said[0].start_s - 0.3, said[4].end_s, said[5].start_s - 0.3, said[9].end_s]
    assert places == pytest.approx(expected, abs=0.06)
    voice = [each for each in session.events if each.type not in TEXTS]
    assert {(each.text, each.words) for each in voice} == {("", ())}


def test_the_start_is_told_before_anything_was_heard() -> None:
    session, _ = run(talk(0.5), live=TOLD)
    assert session.events[0].type == "speech_started"
    assert session.events[1].type == "interim"


def test_what_is_not_speech_to_the_model_ends_with_an_empty_text() -> None:
    def silent(window: Window) -> Hypothesis:
        return replace(Listener([])(window), no_speech_prob=0.9)

    session, _ = run(talk(0.5), live=TOLD, model=silent)
    assert kinds(session.events) == [
        ("speech_started", 0),
        ("speech_stopped", 0),
        ("final", 0),
    ]
    assert session.events[-1].text == ""


def test_long_speech_starts_and_stops_once() -> None:
    session, _ = run(talk(0.3, words=200), live=replace(TOLD, max_segment_s=10.0))
    voice = [each for each in session.events if each.type not in TEXTS]
    assert [each.type for each in voice] == ["speech_started", "speech_stopped"]
    assert voice[1].segment == len(session.finals) - 1 > 1


def test_the_end_of_the_sound_stops_the_speech() -> None:
    said = talk(0.5)
    session, _ = run(said, live=TOLD, until_s=said[-1].end_s)
    assert kinds(session.events)[-2:] == [("speech_stopped", 0), ("final", 0)]


@pytest.mark.parametrize(
    ("until_s", "expected"),
    [
        pytest.param(0.2, [("flushed", 0)], id="nobody has spoken"),
        pytest.param(
            1.5,
            [("speech_started", 0), ("speech_stopped", 0), ("final", 0), ("flushed", 1)],
            id="within speech",
        ),
        pytest.param(
            4.0,
            [("speech_started", 0), ("speech_stopped", 0), ("final", 0), ("flushed", 1)],
            id="behind speech",
        ),
    ],
)
def test_a_flush_tells_when_it_is_done(until_s: float, expected: list[tuple[str, int]]) -> None:
    said = talk(0.5)
    session = Session(opened(loudness(said, 4.0), TOLD), Listener(said))
    session.feed(sound(until_s))
    session._run(session.clip.commit())
    assert kinds(session.events) == expected
    assert session.events[-1].audio_end_s == pytest.approx(until_s)


def test_each_flush_is_told() -> None:
    session = Session(opened(np.zeros(100, np.float32), TOLD), Listener([]))
    for _ in range(3):
        session._run(session.clip.commit())
    assert kinds(session.events) == [("flushed", 0)] * 3


@given(st.lists(st.floats(0.1, 2.0), min_size=1, max_size=4), st.integers(1, 30))
def test_the_text_is_the_same_with_and_without(pauses: list[float], words: int) -> None:
    said: list[Said] = talk(*pauses, words=words)
    live = LiveSettings(max_segment_s=4.0)
    without, text = run(said, live=live)
    told, told_text = run(said, live=replace(live, voice_events=True))
    assert [e for e in told.events if e.type in TEXTS and (e.text or e.revision)] == without.events
    assert told_text == text


def test_flushes_are_told_behind_what_was_said_before_them() -> None:
    said = talk(0.3, words=40)
    session = Session(opened(loudness(said, 30.0), TOLD), Listener(said))
    samples = sound(30.0)
    for start in range(0, len(samples), SAMPLE_RATE_HZ):
        session.feed(samples[start : start + SAMPLE_RATE_HZ])
        session._run(session.clip.commit())
    session.end()
    told = [each for each in session.events if each.type == "flushed"]
    assert [each.audio_end_s for each in told] == [float(second) for second in range(1, 31)]
    for before, after in zip(session.events, session.events[1:], strict=False):
        if after.type == "flushed":
            assert before.type in ("final", "flushed")
