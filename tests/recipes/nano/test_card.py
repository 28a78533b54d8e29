from __future__ import annotations

import pytest

from recipes.nano.card import PROMISES, Promise, both, card, table


def figures(value: float) -> dict[str, float]:
    return {key: value for promise in PROMISES for key in promise.keys}


def test_every_promise_has_a_row() -> None:
    rows = table(figures(0.5)).splitlines()
    assert len(rows) == len(PROMISES) + 2
    assert all(row.count("|") == 6 for row in rows)


@pytest.mark.parametrize(("english", "russian", "kept"), [(0.01, 0.01, True), (0.01, 0.02, False)])
def test_a_promise_is_kept_in_both_languages_or_not(
    english: float, russian: float, kept: bool
) -> None:
    promise = both("Words wrong", "wer", 0.015)
    assert promise.kept({"wer en": english, "wer ru": russian}) is kept


def test_some_promises_are_lower_bounds() -> None:
    promise = Promise("Language right", ("right",), 0.99, at_least=True)
    assert promise.kept({"right": 0.995})
    assert not promise.kept({"right": 0.98})


def test_the_card_says_first_what_nano_cannot_do() -> None:
    text = card(figures(0.1), 300)
    assert text.index("cannot do") < text.index("What it is")
    assert "300 sentences" in text
