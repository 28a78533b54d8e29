"""Beam search: follows several hypotheses and keeps the most probable continuations.

Equals ``BeamSearchDecoder`` of openai/whisper, with its patience (Kasai et al., 2022): the search
ends when ``patience`` times as many hypotheses as there are beams have ended.
"""

from __future__ import annotations

from collections.abc import Iterator

from quest22.decoding.logprobs import Logits, log_normalizer, top
from quest22.decoding.token_decoders import Candidate, DecodeRequest


class BeamSearchDecoder:
    """The beams of one window. A :class:`quest22.decoding.token_decoders.TokenDecoder`."""

    def __init__(self, request: DecodeRequest) -> None:
        self._num_beams = request.num_beams
        self.sampled: list[list[int]] = [[] for _ in range(self._num_beams)]
        self._sums = [0.0] * self._num_beams
        self._ended: list[Candidate] = []
        self._max_candidates = max(round(self._num_beams * request.search.patience), 1)
        self._max_new_tokens = request.prompt.max_new_tokens
        self._end_of_text = request.rules.end_of_text

    @property
    def completed(self) -> bool:
        enough = len(self._ended) >= self._max_candidates
        return enough or len(self.sampled[0]) == self._max_new_tokens

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
