from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quest22.longform.live.sound import SoundBuffer


@given(st.lists(st.integers(0, 50), max_size=20), st.integers(0, 400), st.integers(0, 400))
def test_samples_are_found_by_their_place(sizes: list[int], start: int, length: int) -> None:
    whole = np.arange(sum(sizes), dtype=np.float32)
    buffer, at = SoundBuffer(), 0
    for size in sizes:
        buffer.add(whole[at : at + size])
        at += size
    assert buffer.end == len(whole)
    buffer.drop_before(start)
    assert (buffer.between(start, start + length) == whole[start : start + length]).all()


def test_what_is_fed_may_change_afterwards() -> None:
    buffer, block = SoundBuffer(), np.ones(4, np.float32)
    buffer.add(block)
    block[:] = 0
    assert buffer.between(0, 4).sum() == 4
