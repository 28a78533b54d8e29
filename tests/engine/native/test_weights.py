from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from quest22.engine.native.weights import CrossKVLayout, floats, self_attention


def test_a_self_attention_block_fills_two_layers() -> None:
    layers = list(self_attention("decoder.layers.0", 6, 64, 0.125))
    assert [(layer.name.rsplit(".", 1)[1], layer.number, layer.first) for layer in layers] == [
        ("q_proj", 6, 0),
        ("k_proj", 6, 64),
        ("v_proj", 6, 128),
        ("out_proj", 7, 0),
    ]
    assert [layer.scale for layer in layers] == [0.125, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("part", "element", "dtype", "shape"),
    [
        ("key", "f32", np.float32, (3, 2, 1500, 12)),
        ("value", "bf16", np.uint16, (3, 2, 12, 1500)),
        ("key", "i8", np.int8, (3, 2, 1500, 12)),
        ("key_scale", "i8", np.float32, (3, 2, 1, 12)),
        ("value_scale", "i8", np.float32, (3, 2, 12, 1)),
    ],
)
def test_the_layout_of_keys_and_values(
    part: str, element: str, dtype: type[np.generic], shape: tuple[int, ...]
) -> None:
    assert CrossKVLayout(2, 12)(part, element, 3, 1500) == (dtype, shape)


@pytest.mark.parametrize("change", [np.transpose, np.asarray, lambda values: values[:, ::2]])
def test_floats_are_contiguous(change: Callable[[np.ndarray], np.ndarray]) -> None:
    values = change(np.arange(12, dtype=np.float16).reshape(3, 4))
    found = floats(values)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    assert np.array_equal(found, values)
