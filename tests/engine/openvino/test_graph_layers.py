from __future__ import annotations

import numpy as np
import pytest

from quest22.engine.openvino.decoder import causal_mask
from quest22.engine.openvino.graph_layers import quantize_rows


def test_int8_rows_are_within_half_a_step() -> None:
    weight = np.random.default_rng(0).standard_normal((16, 64)).astype(np.float32)
    weight[3] = 0
    rows, scales = quantize_rows(weight)
    assert rows.dtype == np.int8
    assert np.all(np.abs(rows * scales[:, None] - weight) <= scales[:, None] / 2 + 1e-7)


@pytest.mark.parametrize("position", [0, 1, 5])
@pytest.mark.parametrize("count", [1, 3])
def test_a_token_sees_itself_and_what_came_before(position: int, count: int) -> None:
    mask = causal_mask(np.ones(position, np.bool_), count, 2)
    assert mask.shape == (2, 1, count, position + count)
    assert np.array_equal(mask[0], mask[1])
    for row in range(count):
        assert np.all(mask[0, 0, row, : position + row + 1] == 0)
        assert np.all(mask[0, 0, row, position + row + 1 :] == -np.inf)
