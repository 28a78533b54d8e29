from __future__ import annotations

from benchmarks.accuracy.times import compared, letters
from quest22.records import Origin, Segment, Transcript, Word


def transcript(*words: Word) -> Transcript:
    segment = Segment(0.0, 3.0, "".join(word.text for word in words), words=words)
    return Transcript("a", "a", segment.text, "en", 1.0, 3.0, (segment,), Origin("a"))


def test_words_are_compared_by_their_letters():
    assert letters(" Don't!") == "don't"


def test_words_that_stand_in_both_are_compared():
    reference = [("the", 0.1, 0.3), ("cat", 0.3, 0.8), ("sat", 1.0, 1.5)]
    words = (
        Word(0.2, 0.3, " The", 1.0),
        Word(0.3, 0.6, " bat", 1.0),
        Word(0.9, 1.75, " sat.", 1.0),
    )
    found = compared([(reference, transcript(*words))])
    assert [round(each, 2) for each in found.starts_s] == [0.1, -0.1]
    assert [round(each, 2) for each in found.ends_s] == [0.0, 0.25]
    assert [round(each, 2) for each in found.first_s] == [0.1]
    assert [round(each, 2) for each in found.last_s] == [0.25]
    assert "| ends of words | 2 | +0.125 s |" in "\n".join(found.lines())
