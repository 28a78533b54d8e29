"""Rules on the device against those in NumPy, over random logits and texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quest22.decoding.logits_rules import LogitsRules
from quest22.engine.torch.rules import DeviceRules, RuleTables, TimestampState

EOT, BEGIN, VOCABULARY = 20, 25, 40
PLAIN = LogitsRules(EOT, BEGIN)
RULES = (
    PLAIN,
    LogitsRules(EOT, BEGIN, (3, 7, 21), (EOT, 1), 5),
    LogitsRules(EOT, BEGIN, (), (), 0),
)
CPU = torch.device("cpu")

texts = st.lists(
    st.lists(
        st.one_of(st.integers(0, EOT - 1), st.integers(BEGIN, VOCABULARY - 1), st.just(EOT)),
        min_size=1,
        max_size=6,
    ),
    min_size=1,
    max_size=5,
)


def random_logits(rows: int, seed: int, timestamps: float) -> np.ndarray:
    """Logits in which timestamps are more or less probable."""
    logits = np.random.default_rng(seed).standard_normal((rows, VOCABULARY)).astype(np.float32)
    logits[:, BEGIN:] += timestamps
    return logits


def device_rules(rules: Sequence[LogitsRules], timed: Sequence[bool]) -> DeviceRules:
    return DeviceRules(RuleTables(VOCABULARY, CPU), rules, timed)


@settings(max_examples=150)
@given(texts, st.integers(0, 10**6), st.sampled_from([-3.0, 0.0, 3.0]), st.randoms())
def test_later_tokens(sampled: list[list[int]], seed: int, timestamps: float, random) -> None:
    logits = random_logits(len(sampled), seed, timestamps)
    rules = [random.choice(RULES) for _ in sampled]
    timed = [random.random() < 0.7 for _ in sampled]
    found = device_rules(rules, timed).apply(
        torch.from_numpy(logits.copy()), TimestampState.of(sampled, BEGIN, CPU)
    )
    for row, each in enumerate(rules):
        expected = logits[row : row + 1].copy()
        each.apply(expected, [sampled[row]], [timed[row]])
        assert found[row].numpy().tolist() == expected[0].tolist()


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("timed", [True, False])
def test_the_first_token(rules: LogitsRules, timed: bool) -> None:
    logits = random_logits(2, 0, 0.0)
    found = device_rules([rules, PLAIN], [timed, False]).apply_first(torch.from_numpy(logits))
    for row, (each, follows) in enumerate([(rules, timed), (PLAIN, False)]):
        expected = logits[row : row + 1].copy()
        each.apply(expected, [[]], [follows])
        assert found[row].numpy().tolist() == expected[0].tolist()


@given(texts, st.integers(0, VOCABULARY - 1))
def test_the_state_follows_the_tokens(sampled: list[list[int]], token: int) -> None:
    state = TimestampState.of(sampled, BEGIN, CPU)
    state.update(torch.full((len(sampled),), token), BEGIN)
    again = TimestampState.of([[*tokens, token] for tokens in sampled], BEGIN, CPU)
    for name in ("last", "before", "latest"):
        assert getattr(state, name).tolist() == getattr(again, name).tolist()


def test_tables_are_kept_for_rules_that_are_equal() -> None:
    tables = RuleTables(VOCABULARY, CPU)
    assert tables.of((RULES[1],)) is tables.of((replace(RULES[1]),))
    always, first = tables.of((PLAIN, RULES[1]))
    assert torch.isinf(always).sum(1).tolist() == [0, 3]
    assert torch.isinf(first).sum(1).tolist() == [0, 5]
    for number in range(40):
        tables.of((replace(PLAIN, suppressed=(number,)),))
    assert len(tables._tables) <= 17
