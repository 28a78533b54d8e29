"""The encoder at work: one window on all cores, or several at once with a share of them each.

With many cores several at once leave fewer threads to wait for the slowest of every operation. A
window alone is answered sooner by all cores together. Each way has a compiled graph of its own,
made when it is first needed: who transcribes files one by one never makes the other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from quest22.engine.openvino.network import tensors
from quest22.engine.states import CrossStates

MOST_STREAMS = 8
"""Windows in work at once, at most: each takes memory of its own."""
CORES_A_STREAM = 4
"""Fewer than these are kept busy by one window: two at once on two cores gained nothing."""

OpenEncoder = Callable[[int], ov.CompiledModel]
"""Opens the encoder for so many windows at once."""


class Listener:
    """Encodes a batch's windows into its rows, ``streams`` at once where there are as many."""

    def __init__(self, open_encoder: OpenEncoder, states: CrossStates, streams: int) -> None:
        self._open = open_encoder
        self._states = states
        self._streams = streams
        self._made: dict[int, list[ov.InferRequest]] = {}
        self._free: list[ov.InferRequest] = []
        self._at_work: deque[ov.InferRequest] = deque()

    def begin(self, windows: int) -> None:
        """So many windows are to come. What a batch that failed left at work is waited for."""
        while self._at_work:
            with suppress(RuntimeError):  # told when that batch failed
                self._at_work.popleft().wait()
        self._free = self._requests(self._streams if windows >= self._streams else 1).copy()

    def make_room(self) -> None:
        """Wait for the longest at work where all are; raises ``RuntimeError`` where that failed.

        So the next window's log-mel has cores of its own: threads that share a core wait for one
        another at every operation.
        """
        if not self._free:
            request = self._at_work.popleft()
            request.wait()
            self._free.append(request)

    def hear(self, row: int, features: NDArray[np.float32]) -> None:
        """Begin to encode one window's features ``[mel bins, 3000]`` into a row of the batch.

        Raises ``RuntimeError`` where one failed that had to be waited for.
        """
        self.make_room()
        request = self._free.pop()
        for name, tensor in tensors(self._states.views(slice(row, row + 1))).items():
            request.set_tensor(name, tensor)
        request.set_tensor("features", ov.Tensor(features[None]))
        request.start_async()
        self._at_work.append(request)

    def finish(self) -> None:
        """Wait until all that was begun is there; raises ``RuntimeError`` where one failed."""
        while self._at_work:
            self._at_work.popleft().wait()

    def _requests(self, streams: int) -> list[ov.InferRequest]:
        if streams not in self._made:
            encoder = self._open(streams)
            self._made[streams] = [encoder.create_infer_request() for _ in range(streams)]
        return self._made[streams]


def choose_streams(batch_size: int, cores: int) -> int:
    """How many windows are encoded at once: as far as each has cores, and the batch windows."""
    return max(1, min(batch_size, cores // CORES_A_STREAM, MOST_STREAMS))
