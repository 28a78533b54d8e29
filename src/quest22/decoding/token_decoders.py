"""Chooses a window's tokens: greedily, by sampling, or by beam search.

The roles and algorithms are those of openai/whisper's ``decoding.py``: a :class:`TokenDecoder`
(there ``GreedyDecoder`` and ``BeamSearchDecoder``) follows one or several hypotheses of a window;
:func:`rank` chooses among them (there ``MaximumLikelihoodRanker``). :mod:`quest22.decoding.search`
drives them for a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quest22.decoding.logits_rules import LogitsRules
from quest22.decoding.logprobs import Logits, argmax, log_normalizer, top
from quest22.decoding.prompts import Prompt
from quest22.decoding.repetition import ends_in_loop
from quest22.records import SearchOptions

LOOP_CHECK = 8
"""Loops are looked for after every so many tokens."""


@dataclass(frozen=True, slots=True)
class DecodeRequest:
    """How to decode one window: its prompt, the rules for its tokens, the search.

    ``draft`` guesses the tokens after the prompt, all of them in the vocabulary.
    ``keep_attention``: what the decoder attends to is needed afterwards, for an alignment. Only a
    greedy search looks at these two.
    """

    prompt: Prompt
    rules: LogitsRules
    search: SearchOptions = field(default_factory=SearchOptions)
    temperature: float = 0.0
    draft: tuple[int, ...] = ()
    keep_attention: bool = False

    @property
    def num_beams(self) -> int:
        """The number of rows that the window takes in a batch: beams, or samples in parallel."""
        return self.search.best_of if self.temperature > 0 else self.search.beam_size

    @property
    def tries(self) -> tuple[DecodeRequest, ...]:
        """What to decode until a result :meth:`stands`: greedily first, or only as requested."""
        beams = self.temperature == 0 and self.num_beams > 1
        if not beams or self.search.greedy_logprob is None:
            return (self,)
        return replace(self, search=replace(self.search, beam_size=1)), self

    @property
    def is_greedy(self) -> bool:
        return self.temperature == 0 and self.num_beams == 1

    @property
    def alone(self) -> bool:
        """Whether the window is decoded by itself."""
        return bool(self.guesses) or (self.keep_attention and self.is_greedy)

    @property
    def guesses(self) -> tuple[int, ...]:
        """The draft's tokens that may be fed: before an end of text and within the limit."""
        if not self.is_greedy:
            return ()
        draft, end_of_text = self.draft[: self.prompt.max_new_tokens - 1], self.rules.end_of_text
        return draft[: draft.index(end_of_text)] if end_of_text in draft else draft

    def stands(self, result: DecodeResult) -> bool:
        """Whether the result of the first of several tries is good enough."""
        threshold = self.search.greedy_logprob
        return threshold is not None and result.avg_logprob >= threshold


@dataclass(frozen=True, slots=True)
class DecodeResult:
    """The tokens chosen after a prompt, without the end of text.

    ``avg_logprob`` is the mean log-probability of the tokens by the filtered logits, end of text
    included, as openai/whisper counts it. ``no_speech_prob`` is the probability of
    ``<|nospeech|>`` right after ``<|startoftranscript|>``. ``logprobs`` are those of the tokens,
    and of the end of text if it was chosen; none after a beam search.
    """

    tokens: tuple[int, ...]
    avg_logprob: float
    no_speech_prob: float
    logprobs: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """Tokens without the end of text, and the sum of all log-probabilities, that end included."""

    tokens: tuple[int, ...]
    sum_logprob: float
    logprobs: tuple[float, ...] = ()

    @property
    def avg_logprob(self) -> float:
        """As openai/whisper counts: the end of text is one more token."""
        return self.sum_logprob / (len(self.tokens) + 1)


class TokenDecoder(Protocol):
    """The hypotheses of one window, one per row, all of the same length.

    ``sampled`` holds the tokens chosen so far in each row, without the prompt.
    """

    sampled: list[list[int]]

    @property
    def completed(self) -> bool:
        """Whether the search is finished."""
        ...

    def update(self, logits: Logits) -> list[int]:
        """Choose a token for every row by its filtered ``logits [rows, vocabulary]``.

        Row i then continues the row given by the i-th result. May overwrite ``logits``. Raises
        :class:`quest22.errors.EngineError` if logits are not finite.
        """
        ...

    def candidates(self) -> list[Candidate]:
        """All hypotheses, once completed."""
        ...


def rank(candidates: Sequence[Candidate], length_penalty: float | None) -> Candidate:
    """The best by its mean log-probability, or by a length penalty (Wu et al., 2016, section 7).

    Equals ``MaximumLikelihoodRanker`` of openai/whisper.
    """

    def score(candidate: Candidate) -> float:
        length = len(candidate.tokens)
        if length_penalty is None:
            return candidate.sum_logprob / max(length, 1)
        penalty: float = ((5 + length) / 6) ** length_penalty
        return candidate.sum_logprob / penalty

    return max(candidates, key=score)


def _loops(tokens: Sequence[int], end_of_text: int, max_repeats: int | None) -> bool:
    """Whether text ends in a loop; looked at only now and then, because that costs time.

    Timestamps, which differ each time, do not count.
    """
    if max_repeats is None or not tokens or len(tokens) % LOOP_CHECK:
        return False
    return ends_in_loop([token for token in tokens if token < end_of_text], max_repeats)


class SamplingDecoder:
    """Independent continuations: the most probable token at temperature 0, else random ones.

    A :class:`TokenDecoder`; equals ``GreedyDecoder`` of openai/whisper. A random draw depends
    only on the row's own seed, not on the batch or on earlier draws.
    """

    def __init__(self, request: DecodeRequest) -> None:
        rows = range(request.num_beams)
        self.sampled: list[list[int]] = [[] for _ in rows]
        self._logprobs: list[list[float]] = [[] for _ in rows]
        self._ended = [False for _ in rows]
        self._max_new_tokens = request.prompt.max_new_tokens
        self._max_repeats = request.search.max_repeats
        self._end_of_text = request.rules.end_of_text
        self._temperature = request.temperature
        seed = (*request.search.seed, round(1000 * request.temperature))
        self._generators = [np.random.default_rng((*seed, row)) for row in rows]

    @property
    def completed(self) -> bool:
        if all(self._ended) or len(self.sampled[0]) == self._max_new_tokens:
            return True
        running = (row for row, ended in zip(self.sampled, self._ended, strict=True) if not ended)
        return all(_loops(row, self._end_of_text, self._max_repeats) for row in running)

    def update(self, logits: Logits) -> list[int]:
        return self.record(*(self._sample(logits) if self._temperature > 0 else argmax(logits)))

    def record(self, tokens: Sequence[int], logprobs: Sequence[float]) -> list[int]:
        """Note a token chosen for every row, and its log-probability; as :meth:`update` does."""
        for row, (token, logprob) in enumerate(zip(tokens, logprobs, strict=True)):
            if not self._ended[row]:
                self._logprobs[row].append(logprob)
                self._ended[row] = token == self._end_of_text
            self.sampled[row].append(self._end_of_text if self._ended[row] else token)
        return list(range(len(tokens)))

    def draw(self, count: int) -> NDArray[np.float64]:
        """Each row's next random numbers, for tokens chosen elsewhere: ``[rows, count]``."""
        return np.stack([generator.random(count) for generator in self._generators])

    def candidates(self) -> list[Candidate]:
        return [
            Candidate(self._before_end(tokens), sum(logprobs), tuple(logprobs))
            for tokens, logprobs in zip(self.sampled, self._logprobs, strict=True)
        ]

    def _before_end(self, tokens: list[int]) -> tuple[int, ...]:
        ended = self._end_of_text in tokens
        return tuple(tokens[: tokens.index(self._end_of_text)] if ended else tokens)

    def _sample(self, logits: Logits) -> tuple[list[int], list[float]]:
        """A random token for each row, and its log-probability at temperature 1."""
        tokens = [
            self._sample_one(row, generator)
            for row, generator in zip(logits, self._generators, strict=True)
        ]
        logprobs = [
            float(row[token]) - log_normalizer(row)
            for row, token in zip(logits, tokens, strict=True)
        ]
        return tokens, logprobs

    def _sample_one(self, row: Logits, generator: np.random.Generator) -> int:
        scaled = (row - row.max()).astype(np.float64) / self._temperature
        cumulative = np.exp(scaled).cumsum()
        # However the product is rounded, no token beyond the last one with a weight is drawn.
        last = int(np.searchsorted(cumulative, cumulative[-1]))
        threshold = generator.random() * cumulative[-1]
        return min(int(np.searchsorted(cumulative, threshold, side="right")), last)


class BeamSearchDecoder:
    """The beams of one window, of which the most probable continuations stay.

    A :class:`TokenDecoder`; equals ``BeamSearchDecoder`` of openai/whisper, with its patience
    (Kasai et al., 2022): the search ends when ``patience`` times as many hypotheses as there are
    beams have ended.
    """

    def __init__(self, request: DecodeRequest) -> None:
        self._num_beams = request.num_beams
        self.sampled: list[list[int]] = [[] for _ in range(self._num_beams)]
        self._sums = [0.0] * self._num_beams
        self._ended: list[Candidate] = []
        self._max_candidates = max(round(self._num_beams * request.search.patience), 1)
        self._max_new_tokens = request.prompt.max_new_tokens
        self._max_repeats = request.search.max_repeats
        self._end_of_text = request.rules.end_of_text

    @property
    def completed(self) -> bool:
        best = self.sampled[0]
        if len(self._ended) >= self._max_candidates or len(best) == self._max_new_tokens:
            return True
        return _loops(best, self._end_of_text, self._max_repeats)

    def update(self, logits: Logits) -> list[int]:
        ranked = sorted(self._continuations(logits), key=lambda each: each[0], reverse=True)
        beams: list[tuple[float, int, int]] = []
        for total, row, token in ranked:
            if len(beams) == self._num_beams:
                break
            if token != self._end_of_text:
                beams.append((total, row, token))
            elif len(self._ended) < self._max_candidates:
                self._ended.append(Candidate(tuple(self.sampled[row]), total))
        self.sampled = [[*self.sampled[row], token] for _, row, token in beams]
        self._sums = [total for total, _, _ in beams]
        return [row for _, row, _ in beams]

    def candidates(self) -> list[Candidate]:
        """The finished hypotheses; if they are fewer than the beams, also the best others."""
        order = sorted(range(self._num_beams), key=self._sums.__getitem__, reverse=True)
        unfinished = [Candidate(tuple(self.sampled[row]), self._sums[row]) for row in order]
        return self._ended + unfinished[: max(self._num_beams - len(self._ended), 0)]

    def _continuations(self, logits: Logits) -> Iterator[tuple[float, int, int]]:
        """Total log-probability, row and token of each; at first all rows are the same."""
        for row in range(self._num_beams if self.sampled[0] else 1):
            constant = log_normalizer(logits[row])
            for token in top(logits[row], self._num_beams + 1).tolist():
                yield self._sums[row] + float(logits[row][token]) - constant, row, token
