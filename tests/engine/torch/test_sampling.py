"""Choice on the device against the NumPy search's, over random logits."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from quest22.decoding.logits_rules import LogitsRules
from quest22.decoding.prompts import Prompt
from quest22.decoding.token_decoders import DecodeRequest, SamplingDecoder
from quest22.engine.torch.sampling import choose, draw, log_probabilities
from quest22.records import SearchOptions


def decoder(temperature: float, seed: int) -> SamplingDecoder:
    search = SearchOptions(best_of=3, seed=(seed,))
    prompt = Prompt((1,), 0, 100)
    return SamplingDecoder(DecodeRequest(prompt, LogitsRules(9999, 9999), search, temperature))


@given(
    st.integers(0, 10**6),
    st.sampled_from([3, 255, 256, 257, 1000]),
    st.sampled_from([0.2, 0.6, 1.0]),
    st.floats(0, 0.99),
)
def test_tokens_and_log_probabilities(
    seed: int, vocabulary: int, temperature: float, forbidden: float
) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((3, vocabulary)).astype(np.float32) * 3
    logits[:, rng.random(vocabulary) < forbidden] = -np.inf
    logits[:, 1] = 0
    ours, theirs = decoder(temperature, seed), decoder(temperature, seed)
    drawn = torch.from_numpy(ours.draw(4))
    for step in range(4):
        given_logits = torch.from_numpy(logits)
        tokens = choose(given_logits, torch.full((3,), temperature).double(), drawn[:, step])
        shares = log_probabilities(given_logits, tokens)
        theirs.update(logits.copy())
        assert tokens.tolist() == [row[-1] for row in theirs.sampled]
        ours.record(tokens.tolist(), shares.tolist())
    for mine, other in zip(ours.candidates(), theirs.candidates(), strict=True):
        assert mine.tokens == other.tokens
        np.testing.assert_allclose(mine.logprobs, other.logprobs, atol=1e-5)


def test_rows_without_a_temperature_take_the_best() -> None:
    logits = torch.tensor([[0.0, 2.0, 1.0], [0.0, 2.0, 1.0], [5.0, 5.0, 1.0]])
    temperatures = torch.tensor([0.0, 1.0, 0.0]).double()
    uniforms = torch.tensor([0.999, 0.999, 0.999]).double()
    assert choose(logits, temperatures, uniforms).tolist() == [1, 2, 0]
    assert choose(logits, None, None).tolist() == [1, 1, 0]


def test_the_last_token_with_a_weight_is_the_last_that_is_drawn() -> None:
    logits = torch.full((2, 600), -torch.inf)
    logits[0, [5, 300]] = 0.0
    logits[1, [0, 599]] = 0.0
    both = torch.tensor([1.0, 1.0]).double()
    assert draw(logits, both, torch.tensor([1.0, 1.0]).double()).tolist() == [300, 599]
    assert draw(logits, both, torch.tensor([0.0, 0.0]).double()).tolist() == [5, 0]
