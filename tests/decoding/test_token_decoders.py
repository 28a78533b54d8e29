from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quest22.decoding.logits_rules import LogitsRules
from quest22.decoding.prompts import Prompt
from quest22.decoding.token_decoders import (
    LOOP_CHECK,
    BeamSearchDecoder,
    Candidate,
    DecodeRequest,
    DecodeResult,
    SamplingDecoder,
    rank,
)
from quest22.records import SearchOptions

EOT = 4
RULES = LogitsRules(EOT, 5)


def request(max_new_tokens: int = 8, temperature: float = 0.0, **search) -> DecodeRequest:
    prompt = Prompt((0,), 0, max_new_tokens)
    return DecodeRequest(prompt, RULES, SearchOptions(**search), temperature)


def logits(*rows: dict[int, float]) -> np.ndarray:
    """Log-probabilities of some tokens; what is left goes to token 0."""
    values = np.full((len(rows), 5), -30.0, np.float32)
    for row, probabilities in zip(values, rows, strict=True):
        row[0] = np.log(max(1.0 - sum(probabilities.values()), 1e-9))
        for token, probability in probabilities.items():
            row[token] = np.log(probability)
    return values


@pytest.mark.parametrize(("temperature", "rows"), [(0.0, 3), (0.2, 4)])
def test_beams_at_temperature_zero_and_samples_above(temperature: float, rows: int) -> None:
    assert request(temperature=temperature, beam_size=3, best_of=4).num_beams == rows


@pytest.mark.parametrize(
    ("temperature", "search", "widths"),
    [
        (0.0, {"beam_size": 3}, [3]),
        (0.0, {"beam_size": 3, "greedy_logprob": -0.5}, [1, 3]),
        (0.0, {"greedy_logprob": -0.5}, [1]),
        (0.4, {"best_of": 2, "beam_size": 3, "greedy_logprob": -0.5}, [2]),
    ],
)
def test_greedy_is_tried_before_beams(
    temperature: float, search: dict[str, Any], widths: list[int]
) -> None:
    asked = request(temperature=temperature, **search)
    assert [each.num_beams for each in asked.tries] == widths
    assert asked.tries[-1] is asked


@pytest.mark.parametrize(("avg_logprob", "stands"), [(-0.4, True), (-0.5, True), (-0.6, False)])
def test_a_greedy_hypothesis_stands_from_the_threshold_on(avg_logprob: float, stands: bool) -> None:
    result = DecodeResult((1,), avg_logprob, 0.0)
    assert request(beam_size=2, greedy_logprob=-0.5).stands(result) is stands
    assert not request(beam_size=2).stands(result)


def test_greedy_follows_the_most_probable_token_to_the_end() -> None:
    decoder = SamplingDecoder(request())
    for best in (1, 2, EOT):
        assert not decoder.completed
        assert decoder.update(logits({best: 0.75})) == [0]
    assert decoder.completed
    (candidate,) = decoder.candidates()
    assert candidate.tokens == (1, 2)
    assert candidate.sum_logprob == pytest.approx(3 * np.log(0.75), rel=1e-5)


def test_greedy_ends_with_the_budget() -> None:
    decoder = SamplingDecoder(request(max_new_tokens=2))
    decoder.update(logits({1: 0.9}))
    decoder.update(logits({2: 0.9}))
    assert decoder.completed
    assert decoder.candidates()[0].tokens == (1, 2)


def test_an_ended_sample_does_not_grow_while_others_do() -> None:
    decoder = SamplingDecoder(request(temperature=0.001, best_of=2))
    decoder.update(logits({1: 0.99}, {EOT: 0.99}))
    decoder.update(logits({EOT: 0.99}, {3: 0.99}))
    assert decoder.completed
    first, second = decoder.candidates()
    assert (first.tokens, second.tokens) == ((1,), ())
    assert second.sum_logprob == pytest.approx(np.log(0.99), rel=1e-4)


def test_samples_depend_on_their_seed_alone() -> None:
    def drawn(seed: tuple[int, ...]) -> list[list[int]]:
        decoder = SamplingDecoder(request(temperature=1.0, best_of=3, seed=seed))
        for _ in range(8):
            decoder.update(np.zeros((3, 5), np.float32))
        return decoder.sampled

    assert drawn((1,)) == drawn((1,))
    assert drawn((1,)) != drawn((2,))
    assert len({tuple(row) for row in drawn((1,))}) > 1


def test_a_beam_overtakes_the_greedy_choice() -> None:
    decoder = BeamSearchDecoder(request(beam_size=2))
    assert decoder.update(logits({1: 0.6, 2: 0.4}, {1: 0.6, 2: 0.4})) == [0, 0]
    assert decoder.sampled == [[1], [2]]
    # the second row's only continuation is likelier than each of the first's
    assert decoder.update(logits({1: 0.5, 3: 0.5}, {3: 0.999})) == [1, 0]
    assert decoder.sampled[0] == [2, 3]


def test_beam_search_ends_when_as_many_hypotheses_as_beams_have() -> None:
    decoder = BeamSearchDecoder(request(beam_size=2))
    decoder.update(logits({1: 0.6, 2: 0.3}, {1: 0.6, 2: 0.3}))
    decoder.update(logits({EOT: 0.9}, {EOT: 0.9}))
    assert decoder.completed
    ended = decoder.candidates()
    assert {candidate.tokens for candidate in ended} == {(1,), (2,)}


def test_patience_asks_for_more_hypotheses() -> None:
    decoder = BeamSearchDecoder(request(beam_size=2, patience=2.0))
    decoder.update(logits({1: 0.6, 2: 0.3}, {1: 0.6, 2: 0.3}))
    decoder.update(logits({EOT: 0.9}, {EOT: 0.9}))
    assert not decoder.completed


def test_unfinished_beams_fill_up_the_candidates() -> None:
    decoder = BeamSearchDecoder(request(max_new_tokens=1, beam_size=2))
    decoder.update(logits({1: 0.6, 2: 0.3}, {1: 0.6, 2: 0.3}))
    assert decoder.completed
    assert [candidate.tokens for candidate in decoder.candidates()] == [(1,), (2,)]


SHORT, LONG = Candidate((1, 2), -2.0), Candidate((1, 2, 3, 4), -3.0)


@pytest.mark.parametrize(
    ("length_penalty", "best"), [(None, LONG), (0.0, SHORT), (0.5, SHORT), (2.0, LONG)]
)
def test_the_length_penalty_ranks(length_penalty: float | None, best: Candidate) -> None:
    assert rank([SHORT, LONG], length_penalty) is best


def test_the_end_of_text_counts_in_the_mean() -> None:
    assert SHORT.avg_logprob == pytest.approx(-2 / 3)
    assert Candidate((), -0.5).avg_logprob == -0.5


@pytest.mark.parametrize(
    ("decoder", "search"),
    [
        (SamplingDecoder, {}),
        (SamplingDecoder, {"best_of": 2}),
        (BeamSearchDecoder, {"beam_size": 2}),
    ],
)
@pytest.mark.parametrize(("max_repeats", "tokens"), [(None, 40), (100, 40), (3, LOOP_CHECK)])
def test_a_loop_ends(decoder: Any, search: dict[str, int], max_repeats: int, tokens: int) -> None:
    temperature = 0.5 if "best_of" in search else 0.0
    loop = decoder(request(40, temperature, max_repeats=max_repeats, **search))
    while not loop.completed:
        loop.update(logits(*[{1: 1.0 - 1e-9}] * len(loop.sampled)))
    assert len(loop.sampled[0]) == tokens
