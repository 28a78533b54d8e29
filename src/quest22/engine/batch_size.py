"""How many windows a batch takes: as many as pay on these cores, as far as memory allows."""

from __future__ import annotations

from quest22.checkpoint.config import Dimensions
from quest22.system.machine import memory_limit, usable_cores

BEST_ROWS = 16
"""Beyond this, few cores gain nothing: the decoder is bound by reading keys and values."""

MOST_ROWS = 64
HEADS_A_CORE = 2
"""Decoding shares the heads of all rows out among the cores: each should have some."""

MEMORY_SHARE = 0.2
_BYTES = {"f32": 4, "bf16": 2, "f16": 2, "i8": 1}


def row_bytes(dims: Dimensions, element: str) -> int:
    """Bytes of cross-attention keys and values that one window takes."""
    values = 2 * dims.decoder_layers * dims.max_source_positions * dims.d_model
    return values * _BYTES[element]


def choose_batch_size(
    dims: Dimensions, element: str, memory: int | None = None, cores: int | None = None
) -> int:
    """From 1 to 64 windows within a fifth of ``memory`` bytes; 16 serve up to some 50 cores.

    None: the memory and the cores that this process may use.
    """
    busy = -(-HEADS_A_CORE * (cores or usable_cores()) // dims.decoder_heads)
    wanted = min(max(BEST_ROWS, busy), MOST_ROWS)
    room = MEMORY_SHARE * (memory_limit() if memory is None else memory)
    return max(1, min(wanted, int(room // row_bytes(dims, element))))
