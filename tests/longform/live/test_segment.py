from __future__ import annotations

from quest22.longform.live.segment import OpenSegment
from quest22.longform.live.words import HeardWord


def words(text: str) -> list[HeardWord]:
    return [
        HeardWord(f" {each}", (at,), float(at), at + 1.0, 0.9)
        for at, each in enumerate(text.split())
    ]


def test_events_tell_what_changed() -> None:
    segment = OpenSegment(3, 0, "en", settled=True)
    shown = segment.update(words("one two"), 0, 2.0)
    assert shown is not None
    assert (shown.type, shown.segment, shown.revision, shown.text) == ("interim", 3, 0, "one two")
    assert segment.update(words("one two"), 0, 2.5) is None
    kept = segment.update(words("one two"), 1, 3.0)
    assert kept is not None
    assert (kept.type, kept.revision) == ("committed", 1)
    assert [word.stable for word in kept.words] == [True, False]
    last = segment.end(4.0)
    assert last is not None
    assert (last.type, last.revision, last.audio_end_s) == ("final", 2, 4.0)
    assert all(word.stable for word in last.words)


def test_a_segment_of_which_nothing_was_shown_ends_silently() -> None:
    assert OpenSegment(0, 0, "en", settled=True).end(1.0) is None


def test_a_segment_whose_words_were_taken_back_ends_with_no_text() -> None:
    segment = OpenSegment(0, 0, "en", settled=True)
    segment.update(words("one"), 0, 1.0)
    segment.tail = []
    last = segment.end(2.0)
    assert last is not None
    assert (last.type, last.text, last.words) == ("final", "", ())


def test_steps_without_a_word_are_counted() -> None:
    segment = OpenSegment(0, 0, "en", settled=True)
    for _ in range(3):
        segment.update(words("one two"), 0, 1.0)
    assert segment.idle_steps == 3
    segment.update(words("one two"), 1, 1.0)
    assert segment.idle_steps == 0
