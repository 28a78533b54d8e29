from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quest22.score import (
    ErrorRate,
    Scoreboard,
    character_errors,
    error_rate,
    normalize_text,
    word_errors,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, World!", "hello world "),
        ("a [laughs] b <noise> c (aside) d", "a b c d"),
        ("Ёлка — это Já", "ёлка это já"),
        ("it's 5 % №3", "it s 5 no3"),
        ("ﬁne\u00a0\t x", "fine x"),
    ],
)
def test_normalisation(text, expected):
    assert normalize_text(text) == expected


@pytest.mark.reference
@settings(deadline=None)
@given(st.text() | st.text("aA[]()<>. ,İßﬁé\u0301\u00a0"))
def test_normalisation_is_that_of_transformers(text):
    english = pytest.importorskip("transformers.models.whisper.english_normalizer")
    assert normalize_text(text) == english.BasicTextNormalizer()(text)


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


def test_rates():
    assert word_errors("a b c d", "a b c").rate == 0.25
    assert ErrorRate().rate is None
    assert error_rate([("a b", "a b"), ("c d", "x")]).rate == 0.5


_TEXT = st.text("ab ,", max_size=12)


@given(st.lists(st.tuples(_TEXT, _TEXT)))
def test_the_sum_of_parts_is_the_whole(pairs):
    board = Scoreboard()
    for index, (reference, text) in enumerate(pairs):
        board.add(reference, text, "en" if index % 2 else "ru")
    assert board.overall == error_rate(pairs)
    assert sum(board.by_language.values(), ErrorRate()) == board.overall
    words = sum(len(normalize_text(reference).split()) for reference, _ in pairs)
    assert board.overall.total == words


def test_by_language():
    board = Scoreboard()
    board.add("a b", "a x", "en")
    board.add("я ты", "я ты", "ru")
    assert {code: errors.rate for code, errors in board.by_language.items()} == {
        "en": 0.5,
        "ru": 0.0,
    }
