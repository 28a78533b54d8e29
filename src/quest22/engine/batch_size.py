"""Chooses the batch size on a CPU, and how many windows are encoded at once."""

from __future__ import annotations

from quest22.checkpoint.config import Dimensions
from quest22.system.machine import memory_limit, usable_cores

BEST_ROWS = 16
"""With few cores, more windows gain nothing: the decoder is bound by reading keys and values."""

MAX_ROWS = 64
HEADS_PER_CORE = 2
"""The decoder divides the heads of all rows among the cores: each core should get some."""

MAX_ENCODED_AT_ONCE = 8
"""Each window in progress takes memory of its own."""
CORES_PER_WINDOW = 4
"""One window keeps fewer cores busy: encoding two at once on two cores gained nothing."""

MEMORY_SHARE = 0.2
_BYTES = {"f32": 4, "bf16": 2, "f16": 2, "i8": 1}


def row_bytes(dims: Dimensions, element: str) -> int:
    """Bytes of cross-attention keys and values that one window takes."""
    values = 2 * dims.decoder_layers * dims.max_source_positions * dims.d_model
    return values * _BYTES[element]


def choose_batch_size(
    dims: Dimensions, element: str, memory: int | None = None, cores: int | None = None
) -> int:
    """From 1 to 64 windows whose keys and values take at most a fifth of ``memory`` bytes.

    16 are enough for up to some 50 cores. None: those that this process may use.
    """
    for_cores = -(-HEADS_PER_CORE * (cores or usable_cores()) // dims.decoder_heads)
    best = min(max(BEST_ROWS, for_cores), MAX_ROWS)
    available = MEMORY_SHARE * (memory_limit() if memory is None else memory)
    return max(1, min(best, int(available // row_bytes(dims, element))))


def choose_encoded_at_once(batch_size: int, cores: int) -> int:
    """How many windows to encode at once, from 1 to 8: as many as the cores keep up with."""
    return max(1, min(batch_size, cores // CORES_PER_WINDOW, MAX_ENCODED_AT_ONCE))
