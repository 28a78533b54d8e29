from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.evaluation.normalise import basic, english
from quest22.evaluation.score import (
    ErrorRate,
    Errors,
    Scoreboard,
    character_errors,
    error_rate,
    word_errors,
)
from quest22.evaluation.texts import TextPair


@pytest.mark.parametrize(
    ("reference", "text", "expected"),
    [
        ("a b c", "a b c", ErrorRate(3, 0, 0, 0, 1)),
        ("a b c", "A, x c d!", ErrorRate(2, 1, 0, 1, 1)),
        ("a b c", "", ErrorRate(0, 0, 3, 0, 1)),
        ("", "a b", ErrorRate(0, 0, 0, 2, 1)),
        ("...", "", ErrorRate(0, 0, 0, 0, 1)),
    ],
)
def test_words(reference, text, expected):
    assert word_errors(reference, text) == expected


def test_characters():
    assert character_errors("ab cd", "ab xd") == ErrorRate(4, 1, 0, 0, 1)


@pytest.mark.reference
@given(st.lists(st.tuples(st.text("ab é", min_size=1), st.text("ab é,")), max_size=6))
def test_counts_are_jiwers_over_all_pairs(pairs):
    jiwer = pytest.importorskip("jiwer")
    pairs = [(reference, text) for reference, text in pairs if basic(reference).strip()]
    if not pairs:
        return
    said = [basic(reference).strip() for reference, _ in pairs]
    heard = [basic(text).strip() for _, text in pairs]
    assert error_rate(pairs).rate == pytest.approx(jiwer.wer(said, heard))
    assert error_rate(pairs, "character").rate == pytest.approx(jiwer.cer(said, heard))


def test_the_normaliser_decides_what_an_error_is():
    assert word_errors("twenty one colours", "21 colors").errors == 3
    assert word_errors("twenty one colours", "21 colors", english) == ErrorRate(2, 0, 0, 0, 1)
    assert character_errors("twenty one", "21", english).errors == 0


def test_rates():
    assert word_errors("a b c d", "a b c").rate == 0.25
    assert ErrorRate().rate is None
    assert error_rate([("a b", "a b"), ("c d", "x")]).rate == 0.5


_TEXT = st.text("ab ,", max_size=12)


@given(st.lists(st.tuples(_TEXT, _TEXT)))
def test_the_sum_of_parts_is_the_whole(pairs):
    board = Scoreboard()
    for index, (reference, text) in enumerate(pairs):
        board.add(TextPair("", reference, text, "de" if index % 2 else "ru"))
    assert board.overall == Errors(words=error_rate(pairs))
    assert sum(board.by_language.values(), Errors()) == board.overall
    words = sum(len(basic(reference).split()) for reference, _ in pairs)
    assert board.overall.words.total == words


def test_by_language_and_unit():
    board = Scoreboard()
    board.add(TextPair("1", "a b", "a x", "en"))
    board.add(TextPair("2", "я ты", "я ты", "ru"))
    board.add(TextPair("3", "東京", "京", "ja"))
    board.add(None)
    assert {code: each.counted() for code, each in board.by_language.items()} == {
        "en": [("word", ErrorRate(1, 1, 0, 0, 1))],
        "ru": [("word", ErrorRate(2, 0, 0, 0, 1))],
        "ja": [("character", ErrorRate(1, 0, 1, 0, 1))],
    }
