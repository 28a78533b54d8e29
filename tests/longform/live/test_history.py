from __future__ import annotations

from quest22.longform.live.history import History
from quest22.longform.transcript import LanguageSpan
from quest22.records import DroppedSegment, Segment


def segment(start_s: float, language: str = "en", probability: float = 0.5) -> Segment:
    return Segment(
        start_s, start_s + 1.0, " a", language=language, language_probability=probability
    )


def test_the_last_segments_are_kept() -> None:
    history = History(kept_s=10.0)
    for number in range(100):
        history.add(segment(float(number)))
        history.drop(DroppedSegment(float(number), number + 1.0, "no speech"))
    assert [each.start_s for each in history.segments] == [float(at) for at in range(89, 100)]
    assert history.dropped[0].start_s == 89.0
    assert len(history.dropped) == 11


def test_languages_are_counted_of_all_segments() -> None:
    history = History(kept_s=1.0)
    for number in range(4):
        history.add(segment(float(number), probability=0.5 + number / 10))
    history.add(segment(4.0, "de", 1.0))
    english, german = history.languages
    assert english == LanguageSpan("en", english.probability, 400)
    assert round(english.probability, 6) == 0.65
    assert german == LanguageSpan("de", 1.0, 100)
