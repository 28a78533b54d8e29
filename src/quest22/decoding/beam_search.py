"""Beam search: several hypotheses side by side, the likeliest continuations of all are kept.

Equals ``BeamSearchDecoder`` of openai/whisper, with its patience (Kasai et al., 2022): the search
ends when ``patience`` times as many hypotheses as there are beams have come to an end.
"""

from __future__ import annotations

from collections.abc import Iterator

from quest22.decoding.logits_rules import Logits
from quest22.decoding.logprobs import log_normalizer, top
from quest22.decoding.token_decoders import Candidate, DecodeRequest


class BeamSearchDecoder:
    """The beams of one window."""

    def __init__(self, request: DecodeRequest) -> None:
        self._num_beams = request.num_beams
        self.chosen: list[list[int]] = [[] for _ in range(self._num_beams)]
        self._sums = [0.0] * self._num_beams
        self._ended: list[Candidate] = []
        self._enough = max(round(self._num_beams * request.search.patience), 1)
        self._budget = request.prompt.budget
        self._end_of_text = request.rules.end_of_text

    @property
    def done(self) -> bool:
        return len(self._ended) >= self._enough or len(self.chosen[0]) == self._budget

    def choose(self, logits: Logits) -> list[int]:
        ranked = sorted(self._continuations(logits), key=lambda each: each[0], reverse=True)
        kept: list[tuple[float, int, int]] = []
        for total, row, token in ranked:
            if len(kept) == self._num_beams:
                break
            if token != self._end_of_text:
                kept.append((total, row, token))
            elif len(self._ended) < self._enough:
                self._ended.append(Candidate(tuple(self.chosen[row]), total))
        self.chosen = [[*self.chosen[row], token] for _, row, token in kept]
        self._sums = [total for total, _, _ in kept]
        return [row for _, row, _ in kept]

    def candidates(self) -> list[Candidate]:
        """The hypotheses that ended; where they are fewer than the beams, the likeliest others."""
        order = sorted(range(self._num_beams), key=self._sums.__getitem__, reverse=True)
        open_ended = [Candidate(tuple(self.chosen[row]), self._sums[row]) for row in order]
        return self._ended + open_ended[: max(self._num_beams - len(self._ended), 0)]

    def _continuations(self, logits: Logits) -> Iterator[tuple[float, int, int]]:
        """Total log-probability, row and token of what may come; at first all rows are one."""
        for row in range(self._num_beams if self.chosen[0] else 1):
            constant = log_normalizer(logits[row])
            for token in top(logits[row], self._num_beams + 1).tolist():
                yield self._sums[row] + float(logits[row][token]) - constant, row, token
