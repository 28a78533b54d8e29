from __future__ import annotations

import numpy as np
import pytest

from quest22.errors import EngineError
from quest22.native.arrays import address, addresses

ZEROS = np.zeros((4, 6), np.float32)


def test_addresses_are_those_of_the_arrays() -> None:
    rows = list(ZEROS)
    assert list(addresses(rows, np.float32, (6,))) == [row.ctypes.data for row in rows]


@pytest.mark.parametrize(
    ("array", "came"),
    [
        (ZEROS.astype(np.float64), r"float64 \(4, 6\)"),
        (ZEROS[:3], r"float32 \(3, 6\)"),
        (ZEROS[None], r"float32 \(1, 4, 6\)"),
        (np.zeros((6, 4), np.float32).T, r"float32 \(4, 6\), not contiguous"),
        (np.zeros((4, 12), np.float32)[:, ::2], r"float32 \(4, 6\), not contiguous"),
        (np.broadcast_to(np.float32(0), (4, 6)), r"float32 \(4, 6\), not contiguous"),
    ],
)
def test_what_the_library_would_read_wrongly_is_refused(array: np.ndarray, came: str) -> None:
    with pytest.raises(EngineError, match=came + r": expected float32 \(4, 6\)$"):
        address(array, np.float32, (4, 6))
