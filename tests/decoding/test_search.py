from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from quest22.decoding.logits_rules import LogitsRules
from quest22.decoding.prompts import Prompt
from quest22.decoding.search import BatchSearch, survivors
from quest22.decoding.token_decoders import DecodeRequest, DecodeResult
from quest22.records import SearchOptions

VOCABULARY, EOT, SILENCE = 24, 15, 16
RULES = LogitsRules(EOT, VOCABULARY, suppressed=(3,))


@dataclass
class Oracle:
    """A model whose logits are a function of a row's sound and its tokens so far.

    A window's sound is its number.
    """

    sounds: list[int] = field(default_factory=list)
    seen: list[list[int]] = field(init=False)
    calls: int = 0
    rows: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.seen = [[] for _ in self.sounds]

    def step(
        self, tokens: NDArray[np.int32], logit_positions: Sequence[int]
    ) -> NDArray[np.float32]:
        assert tokens.shape[0] == len(self.seen)
        self.calls += 1
        self.rows.append(len(tokens))
        rows = []
        for sound, seen, fresh in zip(self.sounds, self.seen, tokens.tolist(), strict=True):
            rows.append([oracle_logits(sound, seen + fresh[: at + 1]) for at in logit_positions])
            seen.extend(fresh)
        return np.array(rows, np.float32)

    def restart(self, windows: Sequence[int], num_beams: int) -> None:
        self.sounds = list(windows)
        self.seen = [[] for _ in self.sounds]

    def rewind(self, position: int) -> None:
        for seen in self.seen:
            assert position <= len(seen)
            del seen[position:]

    def reorder_cache(self, rows: Sequence[int]) -> None:
        self.seen = [list(self.seen[row]) for row in rows]
        self.sounds = [self.sounds[row] for row in rows]


def oracle_logits(sound: int, tokens: list[int]) -> NDArray[np.float32]:
    return np.random.default_rng([sound, *tokens]).standard_normal(VOCABULARY).astype(np.float32)


def by_hand(sound: int, prompt: Prompt) -> tuple[tuple[int, ...], float, float]:
    """One sequence the plain way: tokens, average log-probability, probability of silence."""
    tokens, chosen, total = list(prompt.tokens), [], 0.0
    while len(chosen) < prompt.max_new_tokens:
        logits = oracle_logits(sound, tokens).astype(np.float64)
        logits[3] = -np.inf
        token = int(logits.argmax())
        total += logits[token] - np.log(np.exp(logits).sum())
        if token == EOT:
            break
        chosen.append(token)
        tokens.append(token)
    at_start = np.exp(oracle_logits(sound, list(prompt.tokens[: prompt.sot_index + 1])))
    return tuple(chosen), total / (len(chosen) + 1), at_start[SILENCE] / at_start.sum()


prompts = st.builds(
    lambda tokens, start, budget: Prompt(tuple(tokens), start % len(tokens), budget),
    st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=6),
    st.integers(0, 5),
    st.integers(1, 12),
)


def run(
    batch: list[Prompt], search: SearchOptions | None = None, temperature: float = 0.0
) -> list[DecodeResult]:
    """Continue prompts of windows whose sounds are 0, 1, 2 …"""
    requests = [
        DecodeRequest(prompt, RULES, search or SearchOptions(), temperature) for prompt in batch
    ]
    return BatchSearch(SILENCE).run(Oracle(list(range(len(requests)))), requests)


@given(st.lists(prompts, min_size=1, max_size=7))
def test_every_row_is_as_it_is_alone(batch: list[Prompt]) -> None:
    found = run(batch)
    for sound, (prompt, continuation) in enumerate(zip(batch, found, strict=True)):
        tokens, average, silence = by_hand(sound, prompt)
        assert continuation.tokens == tokens
        assert continuation.avg_logprob == pytest.approx(average, abs=1e-5)
        assert continuation.no_speech_prob == pytest.approx(silence, abs=1e-6)


searches = st.builds(
    SearchOptions,
    beam_size=st.integers(1, 3),
    greedy_logprob=st.none() | st.floats(-4, 0),
)


@given(st.lists(st.tuples(prompts, searches, st.sampled_from([0.0, 0.0, 0.5])), max_size=6))
def test_a_batch_is_decoded_as_greedily_and_with_beams_and_chosen(
    batch: list[tuple[Prompt, SearchOptions, float]],
) -> None:
    requests = [DecodeRequest(prompt, RULES, *search) for prompt, *search in batch]
    found = BatchSearch(SILENCE).decode(Oracle(), requests)
    for window, (request, result) in enumerate(zip(requests, found, strict=True)):
        search = request.search
        (expected,) = BatchSearch(SILENCE).run(Oracle([window]), [request])
        if search.greedy_logprob is not None and request.temperature == 0:
            greedily = replace(request, search=replace(search, beam_size=1))
            (greedy,) = BatchSearch(SILENCE).run(Oracle([window]), [greedily])
            expected = greedy if greedy.avg_logprob >= search.greedy_logprob else expected
        assert result == expected


def test_a_prompt_is_fed_in_one_step_and_nothing_runs_after_the_end() -> None:
    oracle = Oracle([5])
    (found,) = BatchSearch(SILENCE).run(oracle, [DecodeRequest(Prompt((1, 2, 4, 5), 0, 3), RULES)])
    assert oracle.calls == min(len(found.tokens) + 1, 3)


drafts = st.lists(st.integers(0, VOCABULARY - 1), max_size=14).map(tuple)
strict = st.builds(
    SearchOptions,
    beam_size=st.sampled_from([1, 1, 1, 2]),
    greedy_logprob=st.none() | st.floats(-4, 0),
    repetition_penalty=st.sampled_from([1.0, 1.5]),
    no_repeat_ngram_size=st.integers(0, 2),
    max_repeats=st.none() | st.just(1),
)
temperatures = st.sampled_from([0.0, 0.0, 0.0, 0.5])


def timed(prompt: Prompt) -> DecodeRequest:
    """With the grammar of timestamps, from token 19 on, and a token that does not come first."""
    rules = LogitsRules(EOT, 19, suppressed=(3,), suppressed_first=(4,), max_initial_timestamp=2)
    return DecodeRequest(replace(prompt, timestamps=True), rules)


@st.composite
def drafted(draw: st.DrawFn) -> DecodeRequest:
    """A request whose draft is what it says without one up to some place, then anything."""
    prompt = draw(prompts)
    request = timed(prompt) if draw(st.booleans()) else DecodeRequest(prompt, RULES)
    request = replace(request, search=draw(strict), temperature=draw(temperatures))
    greedy = replace(request, search=replace(request.search, beam_size=1), temperature=0.0)
    (said,) = BatchSearch(SILENCE).run(Oracle([draw(st.integers(0, 3))]), [greedy])
    right = draw(st.integers(0, len(said.tokens)))
    return replace(request, draft=said.tokens[:right] + draw(drafts))


@settings(deadline=None)
@given(st.lists(drafted() | prompts.map(timed), max_size=4))
def test_a_draft_changes_nothing(batch: list[DecodeRequest]) -> None:
    found = BatchSearch(SILENCE).decode(Oracle(), batch)
    plain = [replace(request, draft=()) for request in batch]
    assert found == BatchSearch(SILENCE).decode(Oracle(), plain)


@pytest.mark.parametrize("wrong", [None, 0, 1, 3])
def test_a_right_draft_takes_one_pass_and_a_wrong_token_no_more_than_those_after_it(
    wrong: int | None,
) -> None:
    request = DecodeRequest(Prompt((1, 2, 4, 5), 0, 9), RULES)
    (said,) = BatchSearch(SILENCE).run(Oracle([3]), [request])
    assert len(said.tokens) == 9
    draft = [(token + (place == wrong)) % VOCABULARY for place, token in enumerate(said.tokens)]
    oracle = Oracle([3])
    (found,) = BatchSearch(SILENCE).run(oracle, [replace(request, draft=tuple(draft))])
    assert found == said
    assert oracle.calls == (1 if wrong is None else 9 - wrong)


def test_a_long_draft_is_checked_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    request = DecodeRequest(Prompt((1, 2, 4, 5), 2, 9), RULES)
    (said,) = BatchSearch(SILENCE).run(Oracle([3]), [request])
    monkeypatch.setattr("quest22.decoding.search.MAX_GUESSES", 3)
    oracle = Oracle([3])
    (found,) = BatchSearch(SILENCE).run(oracle, [replace(request, draft=said.tokens)])
    assert found == said
    assert oracle.calls == 3


def test_a_prompt_is_fed_in_one_row_for_all_beams() -> None:
    request = DecodeRequest(Prompt((1, 2, 4, 5), 0, 5), RULES, SearchOptions(beam_size=3))
    oracle = Oracle([5, 6])
    BatchSearch(SILENCE).run(oracle, [request, request])
    assert oracle.rows[:2] == [2, 6]


@given(st.lists(st.booleans(), max_size=12))
def test_survivors_move_as_little_as_possible(finished: list[bool]) -> None:
    order = survivors(finished)
    alive = [place for place, done in enumerate(finished) if not done]
    assert sorted(order) == alive
    stayed = sum(place == row for place, row in enumerate(order))
    assert stayed == sum(not done for done in finished[: len(alive)])


WIDE = [
    (SearchOptions(beam_size=3), 0.0),
    (SearchOptions(beam_size=4, patience=2.0), 0.0),
    (SearchOptions(beam_size=3, length_penalty=0.6), 0.0),
    (SearchOptions(beam_size=2, repetition_penalty=1.5, no_repeat_ngram_size=2), 0.0),
    (SearchOptions(), 0.7),
    (SearchOptions(best_of=3), 0.7),
    (SearchOptions(best_of=3, length_penalty=1.0), 1.0),
]


@pytest.mark.parametrize(("search", "temperature"), WIDE)
@given(batch=st.lists(prompts, min_size=2, max_size=5))
def test_a_window_does_not_depend_on_its_neighbours(
    search: SearchOptions, temperature: float, batch: list[Prompt]
) -> None:
    together = run(batch, search, temperature)
    shorter = run(batch[:-1], search, temperature)
    assert together[:-1] == shorter


def test_samples_differ_by_seed_and_by_nothing_else() -> None:
    prompt = Prompt((1,), 0, 12)
    drawn = [run([prompt], SearchOptions(seed=(seed,)), 1.0)[0].tokens for seed in (1, 2, 1)]
    assert drawn[0] == drawn[2] != drawn[1]


def test_samples_follow_the_distribution() -> None:
    prompt = Prompt((1,), 0, 1)
    counts = np.zeros(VOCABULARY)
    for seed in range(2000):
        (found,) = run([prompt], SearchOptions(seed=(seed,)), 0.8)
        counts[found.tokens[0] if found.tokens else EOT] += 1
    logits = oracle_logits(0, [1]).astype(np.float64) / 0.8
    logits[3] = -np.inf
    expected = np.exp(logits) / np.exp(logits).sum()
    assert np.abs(counts / 2000 - expected).max() < 0.05
    assert counts[3] == 0


@given(prompt=prompts, size=st.integers(1, 3))
def test_no_n_gram_comes_twice(prompt: Prompt, size: int) -> None:
    (found,) = run([prompt], SearchOptions(no_repeat_ngram_size=size))
    grams = [found.tokens[at : at + size] for at in range(len(found.tokens) - size + 1)]
    assert len(grams) == len(set(grams))


@given(prompt=prompts, beam_size=st.integers(2, 5))
def test_a_wide_beam_finds_what_is_at_least_as_likely(prompt: Prompt, beam_size: int) -> None:
    """With a beam over the whole vocabulary for two steps, the best of all pairs is found."""
    short = Prompt(prompt.tokens, prompt.sot_index, 1)
    (wide,) = run([short], SearchOptions(beam_size=beam_size, length_penalty=0.0))
    (narrow,) = run([short])
    assert wide.avg_logprob * (len(wide.tokens) + 1) >= (
        narrow.avg_logprob * (len(narrow.tokens) + 1) - 1e-5
    )


class _Cache:
    def rearrange_kv_cache(self, source_indices: list[int]) -> None:
        """Nothing to move: logits are made anew at each step."""


def reference_beams(
    prompt: Prompt, beam_size: int, patience: float, length_penalty: float | None
) -> tuple[tuple[int, ...], float]:
    """openai/whisper's beam search and ranking over the oracle's logits."""
    torch = pytest.importorskip("torch")
    decoding = pytest.importorskip("whisper.decoding")
    decoder = decoding.BeamSearchDecoder(beam_size, EOT, _Cache(), patience)
    tokens = torch.tensor([list(prompt.tokens)] * beam_size)
    sums = torch.zeros(beam_size)
    for _ in range(prompt.max_new_tokens):
        logits = torch.tensor(np.array([oracle_logits(0, row) for row in tokens.tolist()]))
        logits[:, 3] = -np.inf
        tokens, completed = decoder.update(tokens, logits, sums)
        if completed:
            break
    found, totals = decoder.finalize(tokens[None], sums[None])
    begin = len(prompt.tokens)
    spoken = [[t[begin : begin + t[begin:].tolist().index(EOT)] for t in each] for each in found]
    (best,) = decoding.MaximumLikelihoodRanker(length_penalty).rank(spoken, totals)
    text = tuple(spoken[0][best].tolist())
    return text, totals[0][best] / (len(text) + 1)


@pytest.mark.reference
@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")
@pytest.mark.parametrize("length_penalty", [None, 0.0, 0.8])
@pytest.mark.parametrize(("beam_size", "patience"), [(2, 1.0), (5, 1.0), (3, 2.0), (4, 0.5)])
def test_beams_equal_the_reference(
    beam_size: int, patience: float, length_penalty: float | None
) -> None:
    for first in range(40):
        prompt = Prompt((first % VOCABULARY, first), 0, 1 + first % 11)
        search = SearchOptions(
            beam_size=beam_size, patience=patience, length_penalty=length_penalty
        )
        try:
            expected, average = reference_beams(prompt, beam_size, patience, length_penalty)
        except ZeroDivisionError:  # an empty hypothesis has no mean there
            continue
        (found,) = run([prompt], search)
        assert found.tokens == expected
        assert found.avg_logprob == pytest.approx(average, abs=1e-5)
