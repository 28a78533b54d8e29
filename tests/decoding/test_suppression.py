from __future__ import annotations

import pytest

from quest22.checkpoint.load import Checkpoint, load
from quest22.checkpoint.numerals import numeral_tokens
from quest22.decoding.rules import Rules
from quest22.decoding.suppression import RuleBook
from quest22.errors import UsageError
from quest22.records import Suppression


@pytest.fixture(scope="module")
def nano() -> Checkpoint:
    return load("nano")


@pytest.fixture(scope="module")
def book(nano: Checkpoint) -> RuleBook:
    return RuleBook(nano.tokens, nano.generation, nano.dimensions.vocab_size)


def test_by_default_the_checkpoint_decides(nano: Checkpoint, book: RuleBook) -> None:
    own = Rules.of(nano.generation, nano.dimensions.vocab_size)
    assert set(book.rules(Suppression()).suppressed) == set(own.suppressed)
    assert book.rules(Suppression()).suppressed_first == own.suppressed_first


def test_a_list_of_ones_own_still_holds_the_control_tokens(
    nano: Checkpoint, book: RuleBook
) -> None:
    tokens = nano.tokens
    control = {tokens.sot, tokens.prev, tokens.sot_lm, tokens.no_speech}
    control |= {tokens.transcribe, tokens.translate}
    assert set(book.rules(Suppression((7, 11))).suppressed) == {7, 11} | control
    own = set(book.rules(Suppression()).suppressed)
    assert set(book.rules(Suppression((-1, 11))).suppressed) == own | {11}


def test_numerals(nano: Checkpoint, book: RuleBook) -> None:
    found = set(numeral_tokens(nano.tokens))
    for text, numeral in (("7", True), (" 1984", True), ("$", True), ("seven", False)):
        tokens = nano.tokens.encode(text)
        assert found.issuperset(tokens) is numeral, text
    assert found <= set(book.rules(Suppression(numerals=True)).suppressed)


def test_blanks_and_the_first_timestamp(book: RuleBook) -> None:
    rules = book.rules(Suppression(blank=False, max_initial_timestamp_s=0.5))
    assert (rules.suppressed_first, rules.max_initial_timestamp) == ((), 25)


@pytest.mark.parametrize("token", [-2, 51865])
def test_a_token_that_is_not_there_is_refused(book: RuleBook, token: int) -> None:
    with pytest.raises(UsageError, match=f"suppressed token {token}: expected -1 .* 51864"):
        book.rules(Suppression((token,)))
