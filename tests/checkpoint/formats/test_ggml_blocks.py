from __future__ import annotations

import numpy as np
import pytest

from quest22.checkpoint.formats.ggml_blocks import FORMATS

RAMP = np.linspace(-1, 1, 32, dtype=np.float32)
# What gguf's own quantiser (the reference of ggml's formats) makes of the ramp.
BLOCKS = {
    "q4_0": "0030809191a2a2b3b3c4c4d5d5e6e6f7f7f8",
    "q4_1": "443000bc80809191a2a2b3b3c4c4d5d5e6e6f7f7",
    "q5_0": "002c0000ffff102132435465768798a9bacbdcedfeff",
    "q5_1": "212c00bc0000ffff00112233445566778899aabbccddeeff",
    "q8_0": "08208189919aa2aab2bac3cbd3dbe3ecf4fc040c141d252d353d464e565e666f777f",
}
STEPS = {"q4_0": 1 / 8, "q4_1": 2 / 15, "q5_0": 1 / 16, "q5_1": 2 / 31, "q8_0": 1 / 127}
BY_NAME = {each.name: each for each in FORMATS.values()}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_is_what_was_rounded_into_it(name: str) -> None:
    content = np.frombuffer(bytes.fromhex(BLOCKS[name]), np.uint8)
    values = BY_NAME[name].unpack(content, (32,))
    assert values.dtype == np.float32
    # The scale is a float16; the largest value of q4_0 and q5_0 has no number of its own.
    limit = STEPS[name] * (1 if name.endswith("_0") and name != "q8_0" else 0.51) + 1e-3
    assert np.abs(values - RAMP).max() <= limit
    assert np.all(np.diff(values) >= 0)


def test_numbers_of_a_block_stand_where_they_belong() -> None:
    scale = np.array([0.5], "<f2").tobytes()
    packed = bytes(range(16))  # the low half of byte i is number i, the high half number i + 16
    values = BY_NAME["q4_0"].unpack(np.frombuffer(scale + packed, np.uint8), (1, 32))
    assert values[0].tolist() == [(i - 8) / 2 for i in range(16)] + [-4.0] * 16
    fifth = (1 << 3 | 1 << 16).to_bytes(4, "little")
    values = BY_NAME["q5_0"].unpack(np.frombuffer(scale + fifth + packed, np.uint8), (1, 32))
    assert (values[0, 3], values[0, 4], values[0, 16], values[0, 17]) == (1.5, -6.0, 0.0, -8.0)


@pytest.mark.parametrize(
    ("name", "shape", "size"),
    [
        ("q4_0", (3, 64), 3 * 2 * 18),
        ("q8_0", (5, 32), 5 * 34),
        ("f16", (5, 7), 70),
        ("q5_1", (32, 31), None),
    ],
)
def test_sizes(name: str, shape: tuple[int, ...], size: int | None) -> None:
    assert BY_NAME[name].bytes_of(shape) == size
