from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quest22.longform.feature_buffer import FeatureBuffer


@given(
    sizes=st.lists(st.integers(0, 900), min_size=1, max_size=8),
    first=st.integers(0, 3000),
    dropped=st.integers(0, 3000),
)
def test_a_window_holds_its_frames_normalised(sizes: list[int], first: int, dropped: int) -> None:
    whole = np.random.default_rng(len(sizes)).normal(-3, 4, (2, sum(sizes))).astype(np.float32)
    shelf = FeatureBuffer()
    for part in np.split(whole, np.cumsum(sizes)[:-1], axis=1):
        shelf.add(part)
    assert shelf.total == sum(sizes)
    first = min(first, shelf.total)
    shelf.drop_before(min(dropped, first))
    count = min(3000, shelf.total - first)
    if not count:
        return
    window = shelf.window(first, count)
    expected = (np.maximum(whole, whole.max() - 8) + 4) / 4
    np.testing.assert_allclose(window[:, :count], expected[:, first : first + count], rtol=1e-6)
    assert window.shape == (2, 3000)
    assert not window[:, count:].any()
