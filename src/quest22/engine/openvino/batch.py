"""How many windows a batch takes: as many as pay, as far as memory allows."""

from __future__ import annotations

import os
from pathlib import Path

from quest22.checkpoint.config import Dimensions

BEST_ROWS = 16
"""Beyond this, a larger batch gains nothing: the decoder is bound by reading keys and values."""

MEMORY_SHARE = 0.2
_BYTES = {"f32": 4, "bf16": 2, "f16": 2}
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def row_bytes(dims: Dimensions, element: str) -> int:
    """Bytes of cross-attention keys and values that one window takes."""
    values = 2 * dims.decoder_layers * dims.max_source_positions * dims.d_model
    return values * _BYTES[element]


def choose_batch_size(dims: Dimensions, element: str, memory: int | None = None) -> int:
    """From 1 to 16 windows within a fifth of ``memory`` bytes (None: what the machine has)."""
    room = MEMORY_SHARE * (memory_limit() if memory is None else memory)
    return max(1, min(BEST_ROWS, int(room // row_bytes(dims, element))))


def memory_limit() -> int:
    """Bytes of memory of this machine, or of the container it pretends to be."""
    limit = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in map(Path, _LIMITS):
        if path.is_file() and (text := path.read_text().strip()).isdigit():
            limit = min(limit, int(text))
    return limit
