from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from quest22.decoding.greedy import GreedySearch, likeliest, survivors
from quest22.decoding.prompts import Prompt
from quest22.decoding.rules import Rules
from quest22.errors import EngineError

VOCABULARY, EOT, SILENCE = 24, 15, 16
SEARCH = GreedySearch(Rules(EOT, VOCABULARY, suppressed=(3,)), SILENCE)


@dataclass
class Oracle:
    """A model whose logits are a function of a row's sound and its tokens so far."""

    sounds: list[int]
    seen: list[list[int]] = field(init=False)
    calls: int = 0

    def __post_init__(self) -> None:
        self.seen = [[] for _ in self.sounds]

    def step(self, tokens: NDArray[np.int32], reads: Sequence[int]) -> NDArray[np.float32]:
        assert tokens.shape[0] == len(self.seen)
        self.calls += 1
        rows = []
        for sound, seen, fresh in zip(self.sounds, self.seen, tokens.tolist(), strict=True):
            rows.append([oracle_logits(sound, seen + fresh[: read + 1]) for read in reads])
            seen.extend(fresh)
        return np.array(rows, np.float32)

    def keep(self, rows: Sequence[int]) -> None:
        self.seen = [self.seen[row] for row in rows]
        self.sounds = [self.sounds[row] for row in rows]


def oracle_logits(sound: int, tokens: list[int]) -> NDArray[np.float32]:
    return np.random.default_rng([sound, *tokens]).standard_normal(VOCABULARY).astype(np.float32)


def by_hand(sound: int, prompt: Prompt) -> tuple[tuple[int, ...], float, float]:
    """One sequence the plain way: tokens, average log-probability, probability of silence."""
    tokens, chosen, total = list(prompt.tokens), [], 0.0
    while len(chosen) < prompt.budget:
        logits = oracle_logits(sound, tokens).astype(np.float64)
        logits[3] = -np.inf
        token = int(logits.argmax())
        total += logits[token] - np.log(np.exp(logits).sum())
        if token == EOT:
            break
        chosen.append(token)
        tokens.append(token)
    at_start = np.exp(oracle_logits(sound, list(prompt.tokens[: prompt.start + 1])))
    return tuple(chosen), total / (len(chosen) + 1), at_start[SILENCE] / at_start.sum()


prompts = st.builds(
    lambda tokens, start, budget: Prompt(tuple(tokens), start % len(tokens), budget),
    st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=6),
    st.integers(0, 5),
    st.integers(1, 12),
)


@given(st.lists(prompts, min_size=1, max_size=7))
def test_every_row_is_as_it_is_alone(batch: list[Prompt]) -> None:
    found = SEARCH.run(Oracle(list(range(len(batch)))), batch)
    for sound, (prompt, continuation) in enumerate(zip(batch, found, strict=True)):
        tokens, average, silence = by_hand(sound, prompt)
        assert continuation.tokens == tokens
        assert continuation.avg_logprob == pytest.approx(average, abs=1e-5)
        assert continuation.no_speech_prob == pytest.approx(silence, abs=1e-6)


def test_a_prompt_is_fed_in_one_step_and_nothing_runs_after_the_end() -> None:
    oracle = Oracle([5])
    (found,) = SEARCH.run(oracle, [Prompt((1, 2, 4, 5), 0, 3)])
    assert oracle.calls == min(len(found.tokens) + 1, 3)


@given(st.lists(st.booleans(), max_size=12))
def test_survivors_move_as_little_as_possible(finished: list[bool]) -> None:
    order = survivors(finished)
    alive = [place for place, done in enumerate(finished) if not done]
    assert sorted(order) == alive
    stayed = sum(place == row for place, row in enumerate(order))
    assert stayed == sum(not done for done in finished[: len(alive)])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_logits_that_are_no_numbers_are_never_text(bad: float) -> None:
    logits = np.zeros((2, 5), np.float32)
    logits[1, 3] = bad
    with pytest.raises(EngineError, match="not finite"):
        likeliest(logits)


def test_a_row_where_nothing_is_allowed_is_an_error() -> None:
    with pytest.raises(EngineError, match="not finite"):
        likeliest(np.full((1, 5), -np.inf, np.float32))


def test_log_probability_of_the_best() -> None:
    tokens, logprobs = likeliest(np.log(np.array([[1, 7, 2], [6, 1, 3]], np.float32)))
    assert tokens == [1, 0]
    assert logprobs == pytest.approx([np.log(0.7), np.log(0.6)], abs=1e-6)
