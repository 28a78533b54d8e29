from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.checkpoint.config import GenerationConfig
from quest22.checkpoint.load import Checkpoint, load
from quest22.checkpoint.tokens import numeral_tokens
from quest22.decoding.logits_rules import LogitsRules, LogitsRulesCache
from quest22.errors import UsageError
from quest22.records import SuppressionOptions

EOT, BEGIN, VOCABULARY = 20, 30, 60
RULES = LogitsRules(
    EOT, BEGIN, suppressed=(3, 25), suppressed_first=(5, EOT), max_initial_timestamp=10
)

ALL = range(VOCABULARY)
TEXT = [token for token in range(EOT) if token != 3]
CONTROL = [token for token in range(EOT + 1, BEGIN - 1) if token != 25]

# tokens so far, timestamps asked for, tokens that may follow
CASES = [
    ([], False, set(ALL) - {3, 25, 5, EOT}),
    ([7], False, set(ALL) - {3, 25}),
    ([], True, set(range(BEGIN, BEGIN + 11))),
    ([BEGIN + 4], True, {*TEXT, EOT, *CONTROL}),
    ([BEGIN + 4, 7], True, {*TEXT, EOT, *CONTROL, *range(BEGIN + 5, VOCABULARY)}),
    ([BEGIN + 4, 7, BEGIN + 9], True, {EOT, *CONTROL, *range(BEGIN + 9, VOCABULARY)}),
    ([BEGIN, 7, BEGIN + 9, BEGIN + 9], True, {*TEXT, EOT, *CONTROL}),
    ([BEGIN, 7, BEGIN + 9, BEGIN + 9, 8], True, {*TEXT, EOT, *CONTROL, *range(BEGIN + 10, 60)}),
    ([7], True, {*TEXT, EOT, *CONTROL, *range(BEGIN, VOCABULARY)}),
]


def allowed(tokens: list[int], timestamps: bool, logits: np.ndarray) -> set[int]:
    RULES.apply(logits[None], [tokens], [timestamps])
    return set(np.flatnonzero(np.isfinite(logits)).tolist())


@pytest.mark.parametrize(("tokens", "timestamps", "expected"), CASES)
def test_what_may_follow(tokens: list[int], timestamps: bool, expected: set[int]) -> None:
    logits = np.zeros(VOCABULARY, np.float32)
    logits[[7, EOT + 1]] = 10.0  # likelier than all timestamps together: nothing else closes
    assert allowed(tokens, timestamps, logits) == expected


@pytest.mark.parametrize(("text_logit", "expected"), [(3.0, False), (4.0, True)])
def test_timestamps_win_when_likelier_together(text_logit: float, expected: bool) -> None:
    # Thirty timestamps at 0 weigh log(30) = 3.40.
    logits = np.zeros(VOCABULARY, np.float32)
    logits[8] = text_logit
    assert (8 in allowed([7], True, logits)) is expected


def test_rows_are_ruled_apart() -> None:
    logits = np.zeros((3, VOCABULARY), np.float32)
    RULES.apply(logits, [[], [7], []], [False, False, True])
    apart = [np.zeros((1, VOCABULARY), np.float32) for _ in range(3)]
    for row, tokens, timestamps in zip(apart, [[], [7], []], [False, False, True], strict=True):
        RULES.apply(row, [tokens], [timestamps])
    assert np.array_equal(logits, np.concatenate(apart))


@given(seed=st.integers(0, 2**32 - 1), timestamp_bias=st.floats(-4, 4))
def test_chosen_timestamps_come_in_pairs_and_never_decrease(
    seed: int, timestamp_bias: float
) -> None:
    random = np.random.default_rng(seed)
    tokens: list[int] = []
    while len(tokens) < 40:
        logits = random.standard_normal((1, VOCABULARY)).astype(np.float32) * 3
        logits[:, BEGIN:] += np.float32(timestamp_bias)
        logits[:, EOT + 1 : BEGIN] = -np.inf
        RULES.apply(logits, [tokens], [True])
        token = int(logits.argmax())
        if token == EOT:
            break
        tokens.append(token)
    assert_grammar(tokens)


def assert_grammar(tokens: list[int]) -> None:
    """A first timestamp, then text closed by a timestamp, and the next opened by another."""
    assert BEGIN <= tokens[0] <= BEGIN + 10
    times = [token for token in tokens if token >= BEGIN]
    assert times == sorted(times)
    kinds = "".join("t" if token >= BEGIN else "x" for token in tokens)
    assert "ttt" not in kinds
    assert "xtx" not in kinds
    assert "txt" not in kinds or all(
        tokens[at] < tokens[at + 2] for at in range(len(kinds) - 2) if kinds[at : at + 3] == "txt"
    )


def test_lists_beyond_the_vocabulary_are_left_out() -> None:
    generation = GenerationConfig(
        decoder_start_token_id=21,
        eos_token_id=EOT,
        pad_token_id=EOT,
        max_length=448,
        suppress_tokens=(1, 60, 99),
        no_timestamps_token_id=29,
    )
    rules = LogitsRules.of(generation, VOCABULARY)
    assert (rules.suppressed, rules.timestamp_begin) == ((1,), BEGIN)


@pytest.mark.reference
@pytest.mark.parametrize("seed", range(20))
def test_equal_to_the_reference_on_random_logits(seed: int) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    process = transformers.generation.logits_process
    config = transformers.GenerationConfig(eos_token_id=EOT)
    config.no_timestamps_token_id, config.max_initial_timestamp_index = BEGIN - 1, 10
    random = np.random.default_rng(seed)
    prompt = [21, 22]
    tokens: list[int] = []
    for _ in range(25):
        logits = random.standard_normal((1, VOCABULARY)).astype(np.float32) * 3
        ids = torch.tensor([prompt + tokens])
        expected = torch.from_numpy(logits.copy())
        for processor in (
            process.SuppressTokensAtBeginLogitsProcessor([5, EOT], len(prompt)),
            process.SuppressTokensLogitsProcessor([3, 25]),
            process.WhisperTimeStampLogitsProcessor(config, len(prompt)),
        ):
            expected = processor(ids, expected)
        RULES.apply(logits, [tokens], [True])
        np.testing.assert_array_equal(logits, expected.numpy())
        likely = np.exp(logits[0] - logits.max()).astype(np.float64)
        tokens.append(int(random.choice(VOCABULARY, p=likely / likely.sum())))


@pytest.mark.reference
@pytest.mark.parametrize("seed", range(10))
def test_a_batch_is_ruled_as_by_openai(seed: int) -> None:
    torch = pytest.importorskip("torch")
    decoding = pytest.importorskip("whisper.decoding")
    tokenizer = SimpleNamespace(no_timestamps=BEGIN - 1, timestamp_begin=BEGIN, eot=EOT)
    theirs = decoding.ApplyTimestampRules(tokenizer, 2, 10)
    random = np.random.default_rng(seed)
    rules = LogitsRules(EOT, BEGIN, max_initial_timestamp=10)
    tokens: list[list[int]] = [[] for _ in range(5)]
    for _ in range(25):
        logits = random.standard_normal((5, VOCABULARY)).astype(np.float32) * 3
        logits[:, EOT + 1 : BEGIN - 1] = -20.0
        expected = torch.from_numpy(logits.copy())
        theirs.apply(expected, torch.tensor([[21, 22, *row] for row in tokens]))
        rules.apply(logits, tokens, [True] * 5)
        np.testing.assert_array_equal(logits, expected.numpy())
        for row, scores in zip(tokens, logits, strict=True):
            row.append(int(scores.argmax()))


@pytest.fixture(scope="module")
def nano() -> Checkpoint:
    return load("nano")


@pytest.fixture(scope="module")
def cache(nano: Checkpoint) -> LogitsRulesCache:
    return LogitsRulesCache(nano.tokens, nano.generation, nano.dimensions.vocab_size)


def test_by_default_the_checkpoint_decides(nano: Checkpoint, cache: LogitsRulesCache) -> None:
    own = LogitsRules.of(nano.generation, nano.dimensions.vocab_size)
    assert set(cache.rules(SuppressionOptions()).suppressed) == set(own.suppressed)
    assert cache.rules(SuppressionOptions()).suppressed_first == own.suppressed_first


def test_where_timestamps_begin_is_known_without_generation_config(nano: Checkpoint) -> None:
    bare = replace(nano.generation, no_timestamps_token_id=None)
    cache = LogitsRulesCache(nano.tokens, bare, nano.dimensions.vocab_size)
    rules = cache.rules(SuppressionOptions())
    assert rules.timestamp_begin == nano.tokens.timestamp_begin


def test_a_list_of_ones_own_still_holds_the_control_tokens(
    nano: Checkpoint, cache: LogitsRulesCache
) -> None:
    tokens = nano.tokens
    control = {tokens.sot, tokens.prev, tokens.sot_lm, tokens.no_speech}
    control |= {tokens.transcribe, tokens.translate}
    assert set(cache.rules(SuppressionOptions((7, 11))).suppressed) == {7, 11} | control
    own = set(cache.rules(SuppressionOptions()).suppressed)
    assert set(cache.rules(SuppressionOptions((-1, 11))).suppressed) == own | {11}


def test_numerals(nano: Checkpoint, cache: LogitsRulesCache) -> None:
    found = set(numeral_tokens(nano.tokens))
    for text, numeral in (("7", True), (" 1984", True), ("$", True), ("seven", False)):
        tokens = nano.tokens.encode(text)
        assert found.issuperset(tokens) is numeral, text
    assert found <= set(cache.rules(SuppressionOptions(numerals=True)).suppressed)


def test_blanks_and_the_first_timestamp(cache: LogitsRulesCache) -> None:
    rules = cache.rules(SuppressionOptions(blank=False, max_initial_timestamp_s=0.5))
    assert (rules.suppressed_first, rules.max_initial_timestamp) == ((), 25)


@pytest.mark.parametrize("token", [-2, 51865])
def test_a_token_that_is_not_there_is_refused(cache: LogitsRulesCache, token: int) -> None:
    with pytest.raises(UsageError, match=f"suppressed token {token}: expected -1 .* 51864"):
        cache.rules(SuppressionOptions((token,)))
