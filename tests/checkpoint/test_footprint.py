"""What a model takes by its shape, against what is published and what files hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from quest22.checkpoint.config import Dimensions
from quest22.checkpoint.footprint import BATCH, WIDTHS, memory_bytes, parameters, window_work
from quest22.checkpoint.known_models import KNOWN_MODELS
from quest22.checkpoint.load import load


@pytest.mark.parametrize(
    ("name", "count"),
    [("tiny", 37_760_640), ("base", 72_593_920), ("large-v3-turbo", 808_878_080)],
)
def test_parameters_are_those_that_transformers_counts(name: str, count: int) -> None:
    assert parameters(KNOWN_MODELS[name].dimensions) == count


def test_parameters_are_close_to_those_published() -> None:
    for model in KNOWN_MODELS.values():
        assert parameters(model.dimensions) == pytest.approx(1e6 * model.parameters_m, rel=0.035)


def test_the_weights_of_a_file_take_what_is_computed(multilingual: Path) -> None:
    checkpoint = load(str(multilingual))
    weights = sum(2 * checkpoint.weights[name].size for name in checkpoint.weights)
    tied = 2 * checkpoint.weights["proj_out.weight"].size
    assert 2 * parameters(checkpoint.dimensions) == weights - tied


def test_memory_is_weights_and_the_caches_of_a_batch() -> None:
    dims = KNOWN_MODELS["tiny"].dimensions
    positions = 2 * 4 * 384 * 4
    caches = BATCH * positions * (1500 + 448)
    assert memory_bytes(dims, "float32") == 4 * parameters(dims) + caches
    smaller = [memory_bytes(dims, name) for name in WIDTHS if name != "float16"]
    assert smaller == sorted(smaller, reverse=True)
    assert memory_bytes(dims, "bfloat16") == memory_bytes(dims, "float16")
    half_of_the_sound, half_of_the_head = BATCH * positions // 4 * 1500, 51_865 * 384
    saved = memory_bytes(dims, "bfloat16") - memory_bytes(dims, "int16")
    assert saved == half_of_the_sound + half_of_the_head
    assert set(WIDTHS) == {"float32", "bfloat16", "float16", "int16", "int8", "int4"}


def test_the_work_of_a_window_is_that_of_its_products() -> None:
    dims = Dimensions(2, 1, 1, 8, 1, 1, 8, 4, 10, 448, 100)
    convolutions = 20 * 3 * 4 * 2 + 10 * 3 * 2 * 2
    encoder = 4 * 10 * 4 + 2 * 10 * 10 * 2 + 2 * 10 * 2 * 8
    cross_kv = 2 * 10 * 4
    step = (6 * 4 + 2 * 10 * 2 + 100 * 2 + 2 * 2 * 8) + 100 * 2
    assert window_work(dims) == convolutions + encoder + cross_kv + 100 * step


def test_work_grows_as_the_time_that_was_measured() -> None:
    """docs/performance.md: tiny 384 and base 171 times real time on the same processor."""
    tiny, base = (window_work(KNOWN_MODELS[name].dimensions) for name in ("tiny", "base"))
    assert tiny / base == pytest.approx(171 / 384, rel=0.05)
