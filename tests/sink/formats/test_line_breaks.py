from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.sink.formats.line_breaks import break_cost, may_break, unbroken, width


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", 0), ("book", 4), ("ёж", 2), ("今天", 4), ("Ａ", 2), ("책 a", 4)],
)
def test_full_width_characters_count_twice(text, expected):
    assert width(text) == expected


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        (" The fox, it's  well-known.", ["The", "fox,", "it's", "well-known."]),
        ("Vraiment ? « Oui » !", ["Vraiment ?", "« Oui » !"]),
        ("今天天气。「好」吗", ["今", "天", "天", "气。", "「好」", "吗"]),
        ("コーヒーを", ["コー", "ヒー", "を"]),
        ("見るIBM社", ["見", "る", "IBM", "社"]),
        ("ไปที่นี่", ["ไป", "ที่", "นี่"]),
        ("안녕 세상", ["안녕", "세상"]),
    ],
)
def test_text_breaks_where_its_language_allows(text, pieces):
    found = unbroken(text)
    assert "".join(found) == text.rstrip()
    assert [piece.strip() for piece in found] == pieces


@pytest.mark.parametrize("pair", [("", "a"), (" ", "a"), ("a", " "), ("a", ""), ("a ", ".")])
def test_nothing_and_marks_stay_with_their_neighbour(pair):
    assert not may_break(*pair)


ORDER = [
    [("home.", " We"), ("天。", "今")],
    [("home,", " we"), ("home?", " he"), ("天，", "今"), ("天", " 今")],
    [("home", " and"), ("дом", " что")],
    [("が", "今")],
    [("green", " house"), ("зелёный", " дом")],
    [("今", "天")],
    [("the", " house"), ("Dr.", " No"), ("from", " home"), ("12", " houses"), ("в", " дом")],
]
"""Places in groups: each group is better than the next."""


def test_breaks_are_best_at_ends_of_sentences_and_clauses():
    costs = [{break_cost(*pair) for pair in pairs} for pairs in ORDER]
    assert all(len(group) == 1 for group in costs)
    assert sorted(costs, key=min) == costs
    assert len({min(group) for group in costs}) == len(ORDER)


@given(st.text(max_size=40))
def test_no_text_is_lost(text):
    assert "".join(unbroken(text)) == text.rstrip()
