"""Runs the decoder step by step for the NumPy search: beams, drafts and rare options.

All rows are at the same position, and logits go to the host.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from quest22.decoding.logprobs import Logits
from quest22.engine.torch.cache import CrossKVPool, SelfKVCache
from quest22.engine.torch.model import WhisperModel


class TorchSession:
    """A :class:`quest22.decoding.search.BatchDecoder` over some windows of a pool."""

    def __init__(self, model: WhisperModel, pool: CrossKVPool, cache: SelfKVCache) -> None:
        self._model = model
        self._pool = pool
        self._cache = cache
        self._windows: list[int] = []
        self._num_beams = 1
        self._fed = 1  # rows of each window in the last step
        self._position = 0

    def restart(self, windows: Sequence[int], num_beams: int = 1) -> None:
        self._windows = list(windows)
        self._pool.arrange(self._windows)
        self._num_beams = self._fed = num_beams
        self._position = 0

    def reorder_cache(self, rows: Sequence[int]) -> None:
        if not rows:
            return
        places = [row // self._fed for row in rows[:: self._num_beams]]
        self._windows = [self._windows[place] for place in places]
        self._pool.arrange(self._windows)
        self._cache.continue_from(rows, self._position)

    def rewind(self, position: int) -> None:
        self._position = position

    def step(self, tokens: NDArray[np.int32], logit_positions: Sequence[int]) -> Logits:
        device = self._model.placement.device
        rows, count = tokens.shape
        end = self._position + count
        fed = torch.tensor(tokens, dtype=torch.int64, device=device)
        positions = torch.arange(self._position, end, device=device).expand(rows, -1)
        x = self._model.decode(
            fed,
            positions,
            (self._cache, slice(0, rows)),
            (self._pool, slice(0, len(self._windows))),
            end,
        )
        self._fed = rows // len(self._windows)
        self._position = end
        logits: Logits = self._model.logits(x[:, list(logit_positions)]).cpu().numpy()
        return logits
