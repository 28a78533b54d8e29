"""Whatever a draft guesses, tokens and probabilities are those of greedy decoding without one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from quest22.decoding.draft_length import StepCosts
from quest22.decoding.logits_rules import LogitsRules
from quest22.decoding.prompts import Prompt
from quest22.decoding.search import BatchSearch
from quest22.decoding.speculative import HostChecker, HostProposer, SpeculativeSearch, follows
from quest22.decoding.token_decoders import DecodeRequest, DecodeResult
from quest22.records import SearchOptions
from tests.decoding.test_search import (
    EOT,
    RULES,
    SILENCE,
    VOCABULARY,
    Oracle,
    oracle_logits,
    prompts,
    timed,
)

Tokens = NDArray[np.int32]
NEVER_OFF = StepCosts((1,), (0.0,), (0.0,))


@dataclass
class RowOracle:
    """Logits are a function of a row's sound and tokens; ``noise`` makes another model of it."""

    noise: float = 0.0
    positions: int = 40
    steps: int = 0
    sounds: list[int] = field(default_factory=list)
    seen: list[list[int]] = field(default_factory=list)

    def restart(self, windows: Sequence[int]) -> None:
        self.sounds = list(windows)
        self.seen = [[] for _ in windows]

    def keep(self, rows: Sequence[int]) -> None:
        for place, row in enumerate(rows):  # what a network with one slot a row can do
            assert row == place or row >= len(rows)
        self.sounds = [self.sounds[row] for row in rows]
        self.seen = [list(self.seen[row]) for row in rows]

    def step(self, tokens: Tokens, positions: Tokens, logit_positions: Tokens) -> Tokens:
        assert len(tokens) == len(positions) == len(logit_positions) == len(self.seen)
        self.steps += 1
        found = []
        for row, (fresh, start) in enumerate(zip(tokens.tolist(), positions.tolist(), strict=True)):
            assert 0 <= start <= len(self.seen[row])
            assert start + len(fresh) <= self.positions
            self.seen[row][start:] = fresh
            found.append([self.logits(row, start + at + 1) for at in logit_positions[row].tolist()])
        return np.array(found, np.float32)

    def logits(self, row: int, length: int) -> NDArray[np.float32]:
        sound, tokens = self.sounds[row], self.seen[row][:length]
        logits = oracle_logits(sound, tokens)
        if not self.noise:
            return logits
        other = oracle_logits(sound + 1000, tokens)
        return logits + np.float32(self.noise) * other


def decoded(
    requests: Sequence[DecodeRequest], noise: float, costs: StepCosts = NEVER_OFF
) -> tuple[list[DecodeResult], SpeculativeSearch, RowOracle]:
    """Of windows whose sounds are 0, 1, 2 …"""
    search, model = SpeculativeSearch(costs), RowOracle()
    checker, proposer = HostChecker(model, SILENCE), HostProposer(RowOracle(noise))
    return search.run(checker, proposer, dict(enumerate(requests))), search, model


def plainly(requests: Sequence[DecodeRequest]) -> list[DecodeResult]:
    return BatchSearch(SILENCE).run(Oracle(list(range(len(requests)))), list(requests))


costs = st.builds(
    lambda draft, check: StepCosts((1, 4), (draft, draft / 2), (check, check)),
    st.sampled_from([0.0, 0.2, 0.6]),
    st.sampled_from([0.0, 0.1]),
)
looping = st.builds(SearchOptions, max_repeats=st.none() | st.just(1))


@settings(deadline=None)
@given(
    st.lists(
        st.builds(
            lambda request, search: replace(request, search=search),
            prompts.map(lambda prompt: DecodeRequest(prompt, RULES)) | prompts.map(timed),
            looping,
        ),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([0.0, 0.1, 0.5, 100.0]),
    costs,
)
def test_a_draft_model_changes_nothing(
    batch: list[DecodeRequest], noise: float, costs: StepCosts
) -> None:
    found, _, _ = decoded(batch, noise, costs)
    for one, other in zip(found, plainly(batch), strict=True):
        assert one.tokens == other.tokens
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-6)
        assert one.no_speech_prob == pytest.approx(other.no_speech_prob, abs=1e-6)


LONG = [DecodeRequest(Prompt((1, 2, row), 0, 30), LogitsRules(EOT, VOCABULARY)) for row in range(4)]


def test_a_perfect_draft_saves_passes() -> None:
    found, search, model = decoded(LONG, 0.0)
    assert search.counts.right == search.counts.guessed
    longest = max(len(each.tokens) for each in found)
    assert model.steps < longest / 2


def test_each_row_goes_on_from_its_own_first_wrong_guess() -> None:
    """In as many passes as the slowest row takes by itself: no row waits for another."""
    alone = []
    for row in range(4):
        search, model = SpeculativeSearch(NEVER_OFF), RowOracle()
        draft = HostProposer(RowOracle(0.3))
        search.run(HostChecker(model, SILENCE), draft, {row: LONG[row]})
        alone.append(model.steps)
    _, _, model = decoded(LONG, 0.3)
    assert len(set(alone)) > 1
    assert model.steps <= max(alone) + 2


def test_a_draft_that_knows_nothing_is_soon_given_up() -> None:
    costs = StepCosts((1,), (0.2,), (0.05,))
    found, search, _ = decoded(LONG, 1000.0, costs)
    tokens = sum(len(each.tokens) for each in found)
    assert search.counts.right < search.counts.guessed < tokens


def test_a_draft_that_costs_a_step_guesses_nothing() -> None:
    _, search, _ = decoded(LONG, 0.0, StepCosts((1,), (0.9,), (0.2,)))
    assert search.counts.guessed == 0


def test_positions_are_not_exceeded() -> None:
    full = DecodeRequest(Prompt(tuple(range(10)), 0, 30), LogitsRules(EOT, VOCABULARY))
    found, _, _ = decoded([full, full], 0.0)
    assert found == plainly([full, full])


@pytest.mark.parametrize(
    ("request_", "followed"),
    [
        (LONG[0], True),
        (replace(LONG[0], temperature=0.2), False),
        (replace(LONG[0], search=SearchOptions(beam_size=2)), False),
        (replace(LONG[0], search=SearchOptions(repetition_penalty=1.1)), False),
        (replace(LONG[0], search=SearchOptions(no_repeat_ngram_size=3)), False),
        (replace(LONG[0], draft=(5,)), False),
        (replace(LONG[0], keep_attention=True), False),
        (replace(LONG[0], search=SearchOptions(max_repeats=3)), True),
    ],
)
def test_what_a_draft_model_follows(request_: DecodeRequest, followed: bool) -> None:
    assert follows(request_) is followed
