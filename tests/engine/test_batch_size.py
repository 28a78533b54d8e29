from __future__ import annotations

import pytest

from quest22.checkpoint.config import Dimensions
from quest22.engine.batch_size import (
    choose_batch_size,
    choose_encoded_at_once,
    row_bytes,
)

GIB = 1 << 30


def dims(d_model: int, layers: int) -> Dimensions:
    return Dimensions(d_model, layers, 4, 4, layers, 4, 4, 80, 1500, 448, 51865)


CASES = [
    (dims(384, 4), "f32", 8 * GIB, 16),
    (dims(1280, 32), "bf16", 64 * GIB, 16),
    (dims(1280, 32), "bf16", 8 * GIB, 6),
    (dims(1280, 32), "f32", 8 * GIB, 3),
    (dims(1280, 32), "f32", GIB, 1),
]


@pytest.mark.parametrize(("shape", "element", "memory", "expected"), CASES)
def test_as_many_windows_as_memory_allows(
    shape: Dimensions, element: str, memory: int, expected: int
) -> None:
    assert choose_batch_size(shape, element, memory, 2) == expected


@pytest.mark.parametrize(("cores", "expected"), [(1, 16), (32, 16), (64, 32), (128, 64), (512, 64)])
def test_many_cores_have_something_to_do(cores: int, expected: int) -> None:
    assert choose_batch_size(dims(384, 4), "bf16", 64 * GIB, cores) == expected


def test_bytes_of_a_window() -> None:
    assert row_bytes(dims(384, 4), "f32") == 2 * 4 * 1500 * 384 * 4


@pytest.mark.parametrize(
    ("batch_size", "cores", "at_once"),
    [(1, 8, 1), (16, 2, 1), (4, 64, 4), (16, 64, 8), (16, 16, 4), (16, 1, 1)],
)
def test_as_many_at_once_as_there_are_cores_for(batch_size: int, cores: int, at_once: int) -> None:
    assert choose_encoded_at_once(batch_size, cores) == at_once
