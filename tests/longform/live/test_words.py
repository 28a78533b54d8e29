from __future__ import annotations

from collections.abc import Sequence

import pytest

from quest22.errors import EngineError
from quest22.longform.live.words import (
    Bounds,
    HeardWord,
    heard_words,
    last_mark,
    text_of,
    tokens_of,
    with_first_mark,
    without_first_mark,
    without_last_mark,
)
from quest22.records import Alignment, Hypothesis
from tests.longform.pauses.scripted import CHARACTERS

EVERYWHERE = Bounds(0.0, 99.0)


def words(
    text: str, language: str = "en", bounds: Bounds = EVERYWHERE, known: Sequence[HeardWord] = ()
) -> list[HeardWord]:
    """Each letter takes 0.1 s, in a window that begins at 10 s."""
    tokens = tuple(CHARACTERS.encode(text))
    times = tuple(0.1 * at for at in range(len(tokens) + 1))
    alignment = Alignment(times, (0.5,) * len(tokens))
    hypothesis = Hypothesis(tokens, language, 1.0, -0.1, 0.0, alignment=alignment)
    return heard_words(hypothesis, CHARACTERS, 10.0, bounds, known)


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        (" Oh, yes.", "en", [" Oh,", " yes."]),
        (' "Well" (no)', "en", [' "Well"', " (no)"]),
        (", and", "en", [",", " and"]),
        ("是的。", "zh", ["是", "的。"]),
        ("", "en", []),
        (' "', "en", [' "']),
    ],
)
def test_marks_belong_to_words(text: str, language: str, expected: list[str]) -> None:
    found = words(text, language)
    assert [each.text for each in found] == expected
    assert text_of(found) == text
    assert tokens_of(found) == tuple(CHARACTERS.encode(text))


def test_a_word_keeps_its_times_without_its_marks() -> None:
    (word,) = words(" ab.")
    assert (word.start_s, word.end_s) == (10.0, 10.3)


def test_times_lie_in_the_heard_sound_and_never_fall() -> None:
    first, second, third = words(" ab cd ef", bounds=Bounds(10.2, 10.7))
    assert (first.start_s, first.end_s) == (10.2, 10.3)
    assert (second.start_s, second.end_s) == (10.3, 10.6)
    assert (third.start_s, third.end_s) == (10.6, 10.7)


def test_a_mark_that_closes_the_text_before_is_not_shown() -> None:
    first, second = without_first_mark(words(", and so"))
    assert (first.text, second.text) == (" and", " so")
    assert tokens_of([first, second]) == tuple(CHARACTERS.encode(", and so"))
    assert without_first_mark(words(" and so")) == words(" and so")
    assert without_first_mark(words(".")) == []


def test_a_mark_that_was_given_is_known_with_the_word_behind_it() -> None:
    mark = tuple(CHARACTERS.encode("."))
    given = with_first_mark(words(" and so"), mark)
    assert text_of(given) == " and so"
    assert tokens_of(given) == tokens_of(words(". and so"))
    assert with_first_mark([], mark) == []


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        (" so it is.", "en", " so it is"),
        (' he said "yes!"', "en", ' he said "yes'),
        (" and so", "en", " and so"),
        ("是的。", "zh", "是的"),
        ("", "en", ""),
    ],
)
def test_a_sentence_may_go_on_behind_its_last_mark(text: str, language: str, expected: str) -> None:
    said = words(text, language)
    going_on = without_last_mark(said)
    assert tokens_of(going_on) == tuple(CHARACTERS.encode(expected))
    assert tokens_of(going_on) + last_mark(said) == tokens_of(said)
    assert without_last_mark(going_on) == going_on


def test_without_an_alignment_there_are_no_words() -> None:
    with pytest.raises(EngineError, match="expected one for each token"):
        heard_words(Hypothesis((1,), "en", 1.0, -0.1, 0.0), CHARACTERS, 0.0, EVERYWHERE)


@pytest.mark.parametrize(
    ("text", "from_s", "expected"),
    [
        (" and listen. To me", 11.2, " To me"),  # all of it lies before
        (". And listen. To me", 11.3, " To me"),
        (" listen to me", 10.65, " to me"),  # hardly any of it does not
        (" and listen to me", 10.0, " and listen to me"),  # said again
        (" listen to me", 10.3, " listen to me"),
        (" and to me", 99.0, " and to me"),  # not what came before
        (" and listen", 11.2, ""),
    ],
)
def test_words_that_repeat_those_before_them_have_sound_of_their_own(
    text: str, from_s: float, expected: str
) -> None:
    known = words(" Listen, and listen")
    found = words(text, bounds=Bounds(from_s, 99.0), known=known)
    assert text_of(found) == expected
