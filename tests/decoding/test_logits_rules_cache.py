from __future__ import annotations

import pytest

from quest22.checkpoint.load import Checkpoint, load
from quest22.checkpoint.tokens import numeral_tokens
from quest22.decoding.logits_rules import LogitsRules
from quest22.decoding.logits_rules_cache import LogitsRulesCache
from quest22.errors import UsageError
from quest22.records import SuppressionOptions


@pytest.fixture(scope="module")
def nano() -> Checkpoint:
    return load("nano")


@pytest.fixture(scope="module")
def book(nano: Checkpoint) -> LogitsRulesCache:
    return LogitsRulesCache(nano.tokens, nano.generation, nano.dimensions.vocab_size)


def test_by_default_the_checkpoint_decides(nano: Checkpoint, book: LogitsRulesCache) -> None:
    own = LogitsRules.of(nano.generation, nano.dimensions.vocab_size)
    assert set(book.rules(SuppressionOptions()).suppressed) == set(own.suppressed)
    assert book.rules(SuppressionOptions()).suppressed_first == own.suppressed_first


def test_a_list_of_ones_own_still_holds_the_control_tokens(
    nano: Checkpoint, book: LogitsRulesCache
) -> None:
    tokens = nano.tokens
    control = {tokens.sot, tokens.prev, tokens.sot_lm, tokens.no_speech}
    control |= {tokens.transcribe, tokens.translate}
    assert set(book.rules(SuppressionOptions((7, 11))).suppressed) == {7, 11} | control
    own = set(book.rules(SuppressionOptions()).suppressed)
    assert set(book.rules(SuppressionOptions((-1, 11))).suppressed) == own | {11}


def test_numerals(nano: Checkpoint, book: LogitsRulesCache) -> None:
    found = set(numeral_tokens(nano.tokens))
    for text, numeral in (("7", True), (" 1984", True), ("$", True), ("seven", False)):
        tokens = nano.tokens.encode(text)
        assert found.issuperset(tokens) is numeral, text
    assert found <= set(book.rules(SuppressionOptions(numerals=True)).suppressed)


def test_blanks_and_the_first_timestamp(book: LogitsRulesCache) -> None:
    rules = book.rules(SuppressionOptions(blank=False, max_initial_timestamp_s=0.5))
    assert (rules.suppressed_first, rules.max_initial_timestamp) == ((), 25)


@pytest.mark.parametrize("token", [-2, 51865])
def test_a_token_that_is_not_there_is_refused(book: LogitsRulesCache, token: int) -> None:
    with pytest.raises(UsageError, match=f"suppressed token {token}: expected -1 .* 51864"):
        book.rules(SuppressionOptions((token,)))
