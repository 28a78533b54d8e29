"""Independent continuations: the most probable token, or one drawn at random.

Equals ``GreedyDecoder`` of openai/whisper. A random draw depends only on the row's own seed, not on
the batch or on earlier draws.
"""

from __future__ import annotations

import numpy as np

from quest22.decoding.logprobs import Logits, argmax, log_normalizer
from quest22.decoding.token_decoders import Candidate, DecodeRequest


class SamplingDecoder:
    """As many continuations as the request asks for; at temperature 0 the greedy one.

    A :class:`quest22.decoding.token_decoders.TokenDecoder`.
    """

    def __init__(self, request: DecodeRequest) -> None:
        rows = range(request.num_beams)
        self.sampled: list[list[int]] = [[] for _ in rows]
        self._sums = [0.0 for _ in rows]
        self._ended = [False for _ in rows]
        self._max_new_tokens = request.prompt.max_new_tokens
        self._end_of_text = request.rules.end_of_text
        self._temperature = request.temperature
        seed = (*request.search.seed, round(1000 * request.temperature))
        self._generators = [np.random.default_rng((*seed, row)) for row in rows]

    @property
    def completed(self) -> bool:
        return all(self._ended) or len(self.sampled[0]) == self._max_new_tokens

    def update(self, logits: Logits) -> list[int]:
        tokens, logprobs = self._sample(logits) if self._temperature > 0 else argmax(logits)
        for row, (token, logprob) in enumerate(zip(tokens, logprobs, strict=True)):
            if not self._ended[row]:
                self._sums[row] += logprob
                self._ended[row] = token == self._end_of_text
            self.sampled[row].append(self._end_of_text if self._ended[row] else token)
        return list(range(len(tokens)))

    def candidates(self) -> list[Candidate]:
        return [
            Candidate(self._before_end(tokens), total)
            for tokens, total in zip(self.sampled, self._sums, strict=True)
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
