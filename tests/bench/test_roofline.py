from __future__ import annotations

import pytest

from benchmarks.roofline import cost
from quest22.bench.random_checkpoint import SHAPES


def test_a_window_of_tiny_costs_what_was_counted_by_hand() -> None:
    needs = cost(SHAPES["tiny"], tokens=100, batch=16)
    assert needs.encoder_flop / 1e9 == pytest.approx(40.5, abs=0.1)
    heard, weights = 2 * 4 * 1500 * 384, 4 * 14 * 384**2 + 51865 * 384
    assert needs.decoder_bytes == 100 * (heard + 2 * weights / 16)
