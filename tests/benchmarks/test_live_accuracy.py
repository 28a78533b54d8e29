"""When words were seen and committed, and what is wrong with events."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.live_accuracy import (
    EngineTime,
    Figures,
    Told,
    check_events,
    final_words,
    latencies,
    options,
    row,
)
from quest22.records import (
    SAMPLE_RATE_HZ,
    DecodingOptions,
    LiveEvent,
    LiveEventType,
    LiveWord,
    Origin,
    Segment,
    Transcript,
    Window,
    Word,
)


def told(fed_s: float, kind: LiveEventType, revision: int, *words: tuple[str, bool]) -> Told:
    """Words of half a second each; True: it is stable."""
    said = tuple(
        LiveWord(0.5 * at, 0.5 * (at + 1), f" {text}", 0.9, stable)
        for at, (text, stable) in enumerate(words)
    )
    text = " ".join(word for word, _ in words)
    return Told(fed_s, LiveEvent(kind, 0, revision, text, said, fed_s))


SESSION = [
    told(0.6, "interim", 0, ("won", False)),
    told(1.1, "interim", 1, ("one", False), ("two", False)),
    told(1.6, "committed", 2, ("one", True), ("two", False)),
    told(2.1, "final", 3, ("One,", True), ("two", True)),
]


def transcript(*words: Word) -> Transcript:
    segment = Segment(0.0, 1.0, "", words=words)
    return Transcript("a", "a", "", "en", 1.0, 2.0, (segment,), Origin("a"))


def test_a_words_latency_counts_from_its_end() -> None:
    known = transcript(Word(0.0, 0.5, " one", 0.9), Word(0.5, 1.0, " two", 0.9))
    first, second = latencies(SESSION, known)
    assert (first.shown_s, first.committed_s) == pytest.approx((0.6, 1.1))
    assert (second.shown_s, second.committed_s, second.final_s) == pytest.approx((0.1, 1.1, 1.1))
    assert first.final_s is None


def test_words_that_only_one_text_has_are_not_counted() -> None:
    known = transcript(Word(0.0, 0.5, " nun", 0.9), Word(0.5, 1.0, " two", 0.9))
    assert len(list(latencies(SESSION, known))) == 1


def test_final_words() -> None:
    assert [word.text for _, word in final_words(SESSION)] == [" One,", " two"]


def test_committed_words_must_stay() -> None:
    with pytest.raises(ValueError, match="committed words changed"):
        check_events(SESSION)
    check_events(SESSION[:3])


def test_words_must_be_heard_before_they_are_told() -> None:
    with pytest.raises(ValueError, match="outside"):
        check_events([told(0.4, "interim", 0, ("one", False))])


@pytest.mark.parametrize(
    ("given", "expected_s"),
    [
        ([], 0.0),
        (["--engine-share", "0.5"], 0.2),
        (["--window-ms", "40,10"], 0.06),
        (["--engine-share", "0.5", "--window-ms", "40,10"], 0.06),
    ],
)
def test_what_a_window_takes(given: list[str], expected_s: float) -> None:
    window = Window(np.zeros(2 * SAMPLE_RATE_HZ, np.float32), 0.0, DecodingOptions("en"))
    engine_time = options().parse_args(given).engine_time
    assert engine_time.of(window, 0.4) == pytest.approx(expected_s)
    assert bool(engine_time) is bool(expected_s)
    assert isinstance(engine_time, EngineTime)


def test_figures_add_up() -> None:
    one = Figures(shown_s=[0.1], committed_s=[0.5], steps=2, sound_s=2.0)
    line = row("all", one + Figures(shown_s=[0.3], committed_s=[0.7], steps=2, sound_s=2.0))
    assert "| 0.20 / 0.29 | 0.60 / 0.69 | nan / nan |" in line
    assert line.endswith("| 1.00 |")
