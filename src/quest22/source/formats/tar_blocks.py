"""A file of blocks of 512 bytes, as tars are, that is read on: where something stands in it."""

from __future__ import annotations

import math
from collections import deque
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

BLOCK_BYTES = 512


class TarBlocks:
    """Passes reads on, and remembers which of the blocks read lately hold more than zeros."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._lately: deque[tuple[int, NDArray[np.bool_]]] = deque()
        self.size = 0

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        whole = data + bytes(-len(data) % BLOCK_BYTES)
        blocks = np.frombuffer(whole, np.uint8).reshape(-1, BLOCK_BYTES)
        self._lately.append((self.size, np.asarray(blocks.any(axis=1))))
        self.size += len(data)
        return data

    def forget(self, until: int) -> None:
        """What lies before a byte will not be asked for any more."""
        while self._lately and self._lately[0][0] + BLOCK_BYTES * len(self._lately[0][1]) <= until:
            self._lately.popleft()

    def hold(self, start: int, end: float = math.inf) -> bool:
        """Whether anything but zeros was read between two places, multiples of a block."""
        for first, used in self._lately:
            low = max(0, (start - first) // BLOCK_BYTES)
            high = len(used) if end == math.inf else max(0, (int(end) - first) // BLOCK_BYTES)
            if used[low:high].any():
                return True
        return False
