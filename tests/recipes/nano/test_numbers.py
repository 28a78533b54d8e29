from __future__ import annotations

import pytest

from recipes.nano.grammar import numbers as num

CARDINALS = [
    (0, "zero", "ноль"),
    (14, "fourteen", "четырнадцать"),
    (42, "forty-two", "сорок два"),
    (100, "one hundred", "сто"),
    (909, "nine hundred nine", "девятьсот девять"),
    (2025, "two thousand twenty-five", "две тысячи двадцать пять"),
]
COUNTED = [(1, "одна книга"), (2, "две книги"), (5, "пять книг"), (11, "одиннадцать книг"),
           (21, "двадцать одна книга"), (104, "сто четыре книги")]  # fmt: skip
BOOK = num.Counted("book", "books", "книга", "книги", "книг", "f")


@pytest.mark.parametrize(("n", "english", "russian"), CARDINALS)
def test_cardinals(n: int, english: str, russian: str) -> None:
    assert num.english(n) == english
    assert num.russian(n) == russian


@pytest.mark.parametrize(("n", "russian"), COUNTED)
def test_nouns_agree_with_numbers(n: int, russian: str) -> None:
    assert num.counted_russian(n, BOOK) == russian


def test_ordinals() -> None:
    assert num.ordinal_english(23) == "twenty-third"
    assert num.ordinal_english(30) == "thirtieth"
    assert num.ordinal_russian(3, "n", "gen") == "третьего"
    assert num.ordinal_russian(23, "m", "prep") == "двадцать третьем"
    assert num.ordinal_russian(30, "n", "nom") == "тридцатое"
    assert num.ordinal_russian(1998, "m", "prep") == "тысяча девятьсот девяносто восьмом"


def test_round_hundreds_have_no_ordinal() -> None:
    with pytest.raises(ValueError, match="Round hundreds"):
        num.ordinal_russian(1900, "m", "prep")
