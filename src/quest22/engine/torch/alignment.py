"""Attention of the decoder to known texts, for the times of words: one pass over each text.

Texts are fed together, padded with ends of text, which no token before them attends to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from quest22.checkpoint.load import Checkpoint
from quest22.decoding.alignment import AlignmentInput, align, alignment_heads, path_cost
from quest22.decoding.dtw import Grid
from quest22.engine.torch.cache import CrossKVPool
from quest22.engine.torch.model import WhisperModel
from quest22.records import Alignment

MAX_TOKENS = 2048
"""Tokens fed at once, over all texts: a token's scores over the vocabulary take 200 kB."""


class TorchAligner:
    """Finds the times of the tokens of known texts."""

    def __init__(self, checkpoint: Checkpoint, model: WhisperModel, pool: CrossKVPool) -> None:
        self._model = model
        self._pool = pool
        self._heads = alignment_heads(checkpoint.dimensions, checkpoint.generation)
        self._start_tokens = 4 if checkpoint.tokens.is_multilingual else 2
        self._end_of_text = checkpoint.tokens.eot

    def align(self, inputs: Sequence[AlignmentInput]) -> list[Alignment]:
        """Times and probabilities of each text's tokens."""
        costs: list[Grid] = []
        probabilities: list[NDArray[np.float32]] = []
        for group in _groups([len(each.start) + len(each.text) + 1 for each in inputs]):
            for cost, shares in self._attend(inputs[group]):
                costs.append(cost)
                probabilities.append(shares)
        return align(costs, probabilities)

    def _attend(
        self, inputs: Sequence[AlignmentInput]
    ) -> Iterator[tuple[Grid, NDArray[np.float32]]]:
        """Each text's path cost, and its tokens' probabilities among the text tokens."""
        tokens = self._tokens(inputs)
        rows = torch.tensor(self._pool.rows_of([each.window for each in inputs]))
        sound = (self._pool, rows.to(tokens.device))
        x, scores = self._model.attend(tokens, sound, self._heads)
        shares = self._probabilities(x, tokens)
        longest = max(each.frames for each in inputs)
        all_scores = scores[..., :longest].cpu().numpy()
        for row, each in enumerate(inputs):
            stop = self._start_tokens + len(each.text)
            fed = all_scores[row, :, : stop + 1, : each.frames]
            text = slice(self._start_tokens - 1, stop)
            yield path_cost(fed, text), shares[row, : len(each.text)].copy()

    def _probabilities(self, x: Tensor, tokens: Tensor) -> NDArray[np.float32]:
        """Of each token after the start, among the text tokens; others count as the last one."""
        logits = self._model.logits(x[:, self._start_tokens - 1 : -1], self._end_of_text)
        targets = tokens[:, self._start_tokens :].clamp(max=self._end_of_text - 1)
        chosen = logits.gather(2, targets[:, :, None])[:, :, 0]
        shares: NDArray[np.float32] = (chosen - logits.logsumexp(2)).exp().cpu().numpy()
        return shares

    def _tokens(self, inputs: Sequence[AlignmentInput]) -> Tensor:
        """All tokens to feed, ``[rows, tokens]``; without an end if a text fills all positions."""
        fed = [(*each.start, *each.text) for each in inputs]
        longest = min(max(map(len, fed)) + 1, self._model.dims.max_target_positions)
        padded = [[*tokens, *[self._end_of_text] * longest][:longest] for tokens in fed]
        return torch.tensor(padded, device=self._model.placement.device)


def _groups(lengths: Sequence[int]) -> Iterator[slice]:
    """Neighbouring texts that are fed at once, each padded to the longest."""
    first = 0
    for row in range(1, len(lengths) + 1):
        group = lengths[first : row + 1]
        if row == len(lengths) or max(group) * len(group) > MAX_TOKENS:
            yield slice(first, row)
            first = row
