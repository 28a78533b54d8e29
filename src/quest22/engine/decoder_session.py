"""A batch on its way through a decoder: who continues whom, and whose sound is where.

Knows a network by what it does; knows neither its code nor the tokens' meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quest22.engine.kv_cache import CrossKVCache

Array = NDArray[np.float32]


class DecoderNetwork(Protocol):
    """A decoder's layers, with the keys and values of earlier tokens inside.

    All sequences of a batch stand at the same position; those of one window lie side by side and
    share its sound.
    """

    @property
    def sound_element(self) -> str:
        """The element of the states that it attends to."""
        ...

    def begin(self, states: CrossKVCache, windows: slice, num_beams: int) -> None:
        """Forget all that was fed: ``num_beams`` sequences begin for each of these windows."""
        ...

    def keep(self, windows: Sequence[int]) -> None:
        """Window i of the next steps is what window ``windows[i]`` was; others leave."""
        ...

    def run(
        self, tokens: NDArray[np.int32], position: int, beams: NDArray[np.int32], reads: list[int]
    ) -> Array:
        """Feed ``tokens [B, T]`` at ``position``; the logits after ``reads`` of T: ``[B, N, V]``.

        Row i continues what row ``beams[i]`` was in the last call. The array is writable and
        valid until the next call.
        """
        ...


class DecoderSession:
    """Runs a network step by step, for one batch at a time whose sound is in ``states``.

    A :class:`quest22.decoding.stepwise_decoder.StepwiseDecoder`.
    """

    def __init__(self, network: DecoderNetwork, states: CrossKVCache) -> None:
        self._network = network
        self._states = states
        self._position = 0
        self._num_beams = 1
        self._beams = np.arange(0, dtype=np.int32)

    def copy(self, rows: Sequence[int]) -> CrossKVCache:
        """What was heard in some rows, which decoding will move about."""
        return self._states.copy(rows)

    def restart(self, windows: int, num_beams: int = 1, first: int = 0) -> None:
        """Begin ``num_beams`` new sequences for each of so many windows, from row ``first`` on."""
        self._network.begin(self._states, slice(first, first + windows), num_beams)
        self._position = 0
        self._num_beams = num_beams
        self._beams = np.arange(num_beams * windows, dtype=np.int32)

    def keep(self, rows: Sequence[int]) -> None:
        """Row i of the next step continues row ``rows[i]`` of the last; others leave."""
        if rows:
            self._network.keep([row // self._num_beams for row in rows[:: self._num_beams]])
            self._beams = np.array(rows, np.int32)

    def step(self, tokens: NDArray[np.int32], reads: Sequence[int]) -> Array:
        """Feed ``tokens [B, T]``; give the logits after the places ``reads``: ``[B, N, V]``."""
        logits = self._network.run(tokens, self._position, self._beams, list(reads))
        self._position += tokens.shape[1]
        self._beams = np.arange(len(tokens), dtype=np.int32)
        return logits
