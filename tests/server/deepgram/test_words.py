"""Words as Deepgram writes them."""

from __future__ import annotations

import pytest

from quest22.records import Word
from quest22.server.deepgram.parameters import Formatting
from quest22.server.deepgram.words import alternative, transcript, written

PLAIN, MARKED = Formatting(), Formatting(punctuated=True)


def words(*texts: str) -> list[Word]:
    return [Word(float(at), at + 0.5, text, 0.9) for at, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("texts", "plain", "marked"),
    [
        ((" Don't", " stop,", " Ann!"), "don't stop ann", "Don't stop, Ann!"),
        ((" “Yes,”", " he", " said", " …"), "yes he said", "“Yes,” he said …"),
        ((" It", " costs", " $5.20,", " 8%"), "it costs $5.20 8%", "It costs $5.20, 8%"),
        (("你", "好。"), "你好", "你好。"),
        ((" Привет,", " Мир."), "привет мир", "Привет, Мир."),
        ((" -", " a"), "a", "a"),
        ((" Twenty", "-four", "-seven."), "twenty-four-seven", "Twenty-four-seven."),
        ((), "", ""),
    ],
)
def test_transcripts(texts: tuple[str, ...], plain: str, marked: str) -> None:
    found = written(words(*texts))
    assert transcript(found, PLAIN) == plain
    assert transcript(found, MARKED) == marked


def test_fields() -> None:
    found = alternative(written(words(" Hi,", " you")), Formatting(True, True), "jw")
    assert found == {
        "transcript": "Hi, you",
        "confidence": 0.9,
        "languages": ["jv"],
        "words": [
            {
                "word": "hi",
                "start": 0.0,
                "end": 0.5,
                "confidence": 0.9,
                "punctuated_word": "Hi,",
                "language": "jv",
            },
            {
                "word": "you",
                "start": 1.0,
                "end": 1.5,
                "confidence": 0.9,
                "punctuated_word": "you",
                "language": "jv",
            },
        ],
    }
    plain = alternative(written(words(" Hi")), PLAIN, "en")
    assert plain["words"] == [{"word": "hi", "start": 0.0, "end": 0.5, "confidence": 0.9}]
    assert "languages" not in plain


def test_nobody_spoke() -> None:
    assert alternative([], MARKED, None) == {"transcript": "", "confidence": 0.0, "words": []}


def test_no_word_begins_before_its_result() -> None:
    found = written(words(" a"), earliest_s=0.7)
    assert (found[0].start_s, found[0].end_s) == (0.7, 0.7)
