"""What the hunt for lost ends makes of events."""

from __future__ import annotations

import numpy as np

from benchmarks.live_accuracy import Told
from benchmarks.live_ends import report, updates
from quest22.bench.live.reference import Sound, SpokenWord
from quest22.bench.live.timeline import Update
from quest22.records import LiveEvent, LiveTextType, LiveWord


def told(at_s: float, kind: LiveTextType, text: str, stable: int, segment: int = 0) -> Told:
    words = text.split()
    shown = tuple(
        LiveWord(at, at + 0.5, f" {word}", 0.9, at < stable) for at, word in enumerate(words)
    )
    return Told(at_s, LiveEvent(kind, segment, 0, text, shown, at_s))


EVENTS = [
    told(1.0, "interim", "we hear", 0),
    told(1.5, "committed", "we hear the", 2),
    told(2.0, "final", "we heard the", 3),
    told(4.0, "final", "good", 1, segment=1),
]


def test_events_become_updates() -> None:
    assert list(updates(EVENTS)) == [
        Update(1.0, 0, 0, (), ("we", "hear")),
        Update(1.5, 0, 0, ("we", "hear"), ("the",)),
        Update(2.0, 0, 1, ("heard", "the"), (), final=True),
        Update(4.0, 1, 0, ("good",), (), final=True),
    ]


def test_a_lost_end_is_listed_with_what_was_final_near_it() -> None:
    words = [
        ("we", 0.5, 0),
        ("hear", 1.0, 0),
        ("the", 1.2, 0),
        ("clouds", 1.7, 0),
        ("good", 3.7, 1),
    ]
    said = tuple(SpokenWord(*each) for each in words)
    sound = Sound("speech", np.zeros(64_000, np.float32), said, "exact")
    figures, *lost = report(sound, EVENTS)
    assert figures.startswith("2 utterances, 1 ends lost; ")
    assert lost == [
        "lost at 1.70 s: we hear the clouds",
        "    final at 2.00 s: we heard the",
        "    final at 4.00 s: good",
    ]
