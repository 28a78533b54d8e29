"""What holds for every session, whatever is said, heard and fed."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quest22.longform.live.endpointing import ONSET_FRAMES
from quest22.records import SAMPLE_RATE_HZ, Hypothesis, LiveEvent, Window
from quest22.settings.live import LiveSettings
from tests.longform.live.spoken import (
    FRAME_S,
    Listener,
    Said,
    Session,
    loudness,
    opened,
    run,
    sound,
)

POLICIES = ("alignatt", "local-agreement", "both")


@st.composite
def spoken(draw: st.DrawFn) -> list[Said]:
    """Up to 30 words with pauses of all lengths."""
    said: list[Said] = []
    at = draw(st.floats(0.0, 2.0))
    for number in range(draw(st.integers(0, 30))):
        length_s = draw(st.floats(0.15, 0.9))
        said.append(Said(number, at, at + length_s))
        at += length_s + draw(st.sampled_from([0.0, 0.0, 0.0, 0.05, 0.15, 0.3, 0.6, 3.0, 12.0]))
    return said


sessions = st.builds(
    LiveSettings,
    policy=st.sampled_from(POLICIES),
    step_s=st.sampled_from([0.2, 0.5, 1.0]),
    hold_back_s=st.sampled_from([0.0, 0.5]),
    max_segment_s=st.sampled_from([2.0, 6.0, 28.0]),
)


def check(events: list[LiveEvent]) -> None:
    """Each event goes on from the one before it, and committed words stay as they are."""
    last: dict[int, LiveEvent] = {}
    ended = -1
    for event in events:
        before = last.get(event.segment)
        stable = [word for word in event.words if word.stable]
        assert event.segment == ended + 1
        assert event.revision == (0 if before is None else before.revision + 1)
        kept = [word for word in before.words if word.stable] if before else []
        assert stable[: len(kept)] == kept
        assert list(event.words[: len(stable)]) == stable
        assert event.text == "".join(word.text for word in event.words).strip()
        times = [time_s for word in event.words for time_s in (word.start_s, word.end_s)]
        assert times == sorted(times)
        assert not times or times[-1] <= event.audio_end_s
        if event.type == "committed":
            assert len(stable) > len(kept)
        if event.type == "interim":
            assert before is None or event.text != before.text
            assert len(stable) == len(kept)
        if event.type == "final":
            assert len(stable) == len(event.words)
            ended = event.segment
        last[event.segment] = event
    assert all(event.type == "final" for event in last.values())


@given(spoken(), sessions, st.floats(0, 0.5), st.integers(0, 100))
def test_events_are_consistent(
    said: list[Said], live: LiveSettings, mishears: float, seed: int
) -> None:
    session, transcript = run(said, live=live, model=Listener(said, mishears, seed=seed))
    check(session.events)
    texts = [each.text for each in session.finals if each.text]
    assert transcript.text.split() == " ".join(texts).split()


@given(spoken(), sessions, st.sampled_from([0.01, 0.032, 0.25, 1.0, 7.0]))
def test_the_size_of_blocks_changes_nothing(
    said: list[Said], live: LiveSettings, block_s: float
) -> None:
    one, text = run(said, live=live, previews=False)
    other, other_text = run(said, live=live, previews=False, block_s=block_s)
    assert [each.fingerprint for each in one.windows] == [
        each.fingerprint for each in other.windows
    ]
    assert one.events == other.events
    assert text == other_text


@given(spoken(), sessions)
def test_all_speech_is_in_last_windows(said: list[Said], live: LiveSettings) -> None:
    session, _ = run(said, live=live)
    until_s = (said[-1].end_s if said else 0.0) + 1.0
    frames = loudness(said, until_s) > 0
    covered = np.zeros(len(frames), bool)
    for window in session.windows:
        if not window.interim:
            first, end_s = window.start_s / FRAME_S, window.start_s + window.duration_s
            covered[round(first) : round(end_s / FRAME_S)] = True
    missing = np.flatnonzero(frames & ~covered)
    runs = np.split(missing, np.flatnonzero(np.diff(missing) > 1) + 1)
    assert max(map(len, runs)) < ONSET_FRAMES


@given(spoken(), sessions)
def test_what_is_heard_well_is_told_once_and_whole(said: list[Said], live: LiveSettings) -> None:
    clear = [replace(word, end_s=max(word.end_s, word.start_s + 0.2)) for word in said]
    clear = [each for each in clear if each.end_s - each.start_s >= 0.2]
    _, transcript = run(clear, live=replace(live, hold_back_s=0.5))
    tokens = [int(word) % 500 for word in transcript.text.split()]
    assert tokens == [word.token for word in clear]


@given(spoken(), st.integers(0, 1000))
def test_results_may_come_at_any_time(said: list[Said], seed: int) -> None:
    chance = random.Random(seed)
    until_s = (said[-1].end_s if said else 0.0) + 1.0
    clip, model = opened(loudness(said, until_s)), Listener(said)
    samples, running = sound(until_s), list[Window]()
    events: list[LiveEvent] = []
    while len(samples) or running:
        assert len(running) <= 1
        if running and chance.random() < 0.3:
            window = running.pop()
            if chance.random() < 0.1:
                running += clip.add_failure(window, "the engine failed")
            else:
                running += clip.add_result(window, model(window))
        elif len(samples):
            size = chance.choice([160, 1600, 16_000])
            running += clip.feed(samples[:size])
            samples = samples[size:]
            if chance.random() < 0.1:
                running += clip.commit()
            elif (window := clip.preview()) is not None:
                running.append(window)
        events += clip.take_events()
    running += clip.flush()
    while running:
        window = running.pop()
        running += clip.add_result(window, model(window))
    events += clip.take_events()
    assert clip.finished
    check(events)


def test_a_long_session_keeps_little() -> None:
    said = [Said(number % 400, 0.5 * number, 0.5 * number + 0.4) for number in range(1200)]
    session = Session(opened(loudness(said, 700.0)), Listener(said))
    samples, most = sound(700.0), 0
    for start in range(0, len(samples), 1600):
        session.feed(samples[start : start + 1600])
        most = max(most, sum(map(len, session.clip._sound._blocks)))
    assert most < 60 * SAMPLE_RATE_HZ
    assert len(session.finals) > 20


def test_a_model_that_says_nothing_ends_nothing_early() -> None:
    def silent(window: Window) -> Hypothesis:
        return replace(Listener([])(window), avg_logprob=-0.3)

    session, transcript = run([Said(0, 0.5, 4.0)], model=silent)
    assert not session.events
    assert transcript.text == ""
