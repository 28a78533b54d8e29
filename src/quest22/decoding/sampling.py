"""Continuations that know nothing of one another: the likeliest token, or one drawn by chance.

Equals ``GreedyDecoder`` of openai/whisper. What is drawn depends on a row's own seed alone, so
neither on the batch nor on what was drawn before.
"""

from __future__ import annotations

import numpy as np

from quest22.decoding.logits_rules import Logits
from quest22.decoding.logprobs import argmax, log_normalizer
from quest22.decoding.token_decoders import Candidate, DecodeRequest


class SamplingDecoder:
    """As many continuations as the request asks for; at temperature 0 the one likeliest."""

    def __init__(self, request: DecodeRequest) -> None:
        rows = range(request.num_beams)
        self.chosen: list[list[int]] = [[] for _ in rows]
        self._sums = [0.0 for _ in rows]
        self._ended = [False for _ in rows]
        self._budget = request.prompt.budget
        self._end_of_text = request.rules.end_of_text
        self._temperature = request.temperature
        seed = (*request.search.seed, round(1000 * request.temperature))
        self._chances = [np.random.default_rng((*seed, row)) for row in rows]

    @property
    def done(self) -> bool:
        return all(self._ended) or len(self.chosen[0]) == self._budget

    def choose(self, logits: Logits) -> list[int]:
        tokens, logprobs = self._draw(logits) if self._temperature > 0 else argmax(logits)
        for row, (token, logprob) in enumerate(zip(tokens, logprobs, strict=True)):
            if not self._ended[row]:
                self._sums[row] += logprob
                self._ended[row] = token == self._end_of_text
            self.chosen[row].append(self._end_of_text if self._ended[row] else token)
        return list(range(len(tokens)))

    def candidates(self) -> list[Candidate]:
        return [
            Candidate(self._spoken(tokens), total)
            for tokens, total in zip(self.chosen, self._sums, strict=True)
        ]

    def _spoken(self, tokens: list[int]) -> tuple[int, ...]:
        ended = self._end_of_text in tokens
        return tuple(tokens[: tokens.index(self._end_of_text)] if ended else tokens)

    def _draw(self, logits: Logits) -> tuple[list[int], list[float]]:
        """A token for each row by chance, and its log-probability at temperature 1."""
        tokens = [
            self._draw_one(row, chance) for row, chance in zip(logits, self._chances, strict=True)
        ]
        logprobs = [
            float(row[token]) - log_normalizer(row)
            for row, token in zip(logits, tokens, strict=True)
        ]
        return tokens, logprobs

    def _draw_one(self, row: Logits, chance: np.random.Generator) -> int:
        scaled = (row - row.max()).astype(np.float64) / self._temperature
        heap = np.exp(scaled).cumsum()
        # Beyond the last token that has any weight lies nothing, however the product is rounded.
        last = int(np.searchsorted(heap, heap[-1]))
        return min(int(np.searchsorted(heap, chance.random() * heap[-1], side="right")), last)
