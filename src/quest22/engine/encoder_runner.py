"""What encodes a batch's windows into the memory that the decoder reads."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

MOST_AT_ONCE = 8
"""Windows in work at once, at most: each takes memory of its own."""
CORES_A_WINDOW = 4
"""Fewer than these are kept busy by one window: two at once on two cores gained nothing."""


class EncoderRunner(Protocol):
    """Encodes windows into a batch's rows of :class:`quest22.engine.kv_cache.CrossKVCache`."""

    def begin(self, windows: int) -> None:
        """So many windows are to come. What a batch that failed left at work is waited for."""
        ...

    def make_room(self) -> None:
        """Have the next window's log-mel cores of its own, and :meth:`hear` not wait.

        Threads that share a core wait for one another at every operation.
        """
        ...

    def hear(self, row: int, features: NDArray[np.float32]) -> None:
        """Encode one window's features ``[mel bins, 3000]`` into a row, now or with others."""
        ...

    def finish(self) -> None:
        """When this returns, all that was heard is there.

        This, :meth:`hear` and :meth:`make_room` raise ``RuntimeError`` or :class:`EngineError`
        where a window failed that had to be waited for.
        """
        ...


def choose_at_once(batch_size: int, cores: int) -> int:
    """How many windows are encoded at once: as far as each has cores, and the batch windows."""
    return max(1, min(batch_size, cores // CORES_A_WINDOW, MOST_AT_ONCE))
