"""The kernel against products in float64, in Triton's interpreter on the CPU."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

pytestmark = pytest.mark.skipif(
    find_spec("triton") is None or find_spec("torch") is None,
    reason="Triton is not installed",
)

PROGRAM = """
import torch
torch.set_num_threads(1)
from quest22.engine.torch.cross_kernel import cross_attention

torch.manual_seed(0)
# windows, heads, queries, frames, size
SHAPES = [(1, 2, 1, 1500, 64), (2, 1, 5, 300, 32), (1, 1, 16, 3, 16)]
for windows, heads, queries, frames, size in SHAPES:
    query = 2 * torch.randn(windows, heads, queries, size)
    pool = torch.full((2, windows + 1, heads, frames + 7, size), torch.nan)  # what is not its own
    pool[:, 1:, :, :frames] = torch.randn(2, windows, heads, frames, size)
    key, value = pool[:, 1:, :, :frames]

    def right(key, value):
        scores = query.double() @ key.double().transpose(-1, -2) * size ** -0.5
        return scores.softmax(-1) @ value.double()

    found = cross_attention(query, key, value)
    assert (found - right(key, value)).abs().max() < 1e-5, (found - right(key, value)).abs().max()
    scales = [each.abs().amax(2) / 127 for each in (key, value)]
    small = [
        (each / scale[:, :, None]).round().to(torch.int8)
        for each, scale in zip((key, value), scales)
    ]
    expected = right(*(each * scale[:, :, None] for each, scale in zip(small, scales)))
    found = cross_attention(query, *small, tuple(scales))
    assert (found - expected).abs().max() < 1e-5, (found - expected).abs().max()
    for window in range(windows):  # the same bytes whatever shares the batch
        one = slice(window, window + 1)
        alone = cross_attention(query[one], key[one], value[one])
        assert torch.equal(alone, cross_attention(query, key, value)[one])
print("right")
"""


def test_it_is_what_products_in_float64_give() -> None:
    made = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | {"TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.stdout == "right\n", made.stderr
