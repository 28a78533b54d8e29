from __future__ import annotations

import pytest

from quest22.engine.encoder_runner import choose_at_once


@pytest.mark.parametrize(
    ("batch_size", "cores", "at_once"),
    [(1, 8, 1), (16, 2, 1), (4, 64, 4), (16, 64, 8), (16, 16, 4), (16, 1, 1)],
)
def test_as_many_at_once_as_there_are_cores_for(batch_size: int, cores: int, at_once: int) -> None:
    assert choose_at_once(batch_size, cores) == at_once
