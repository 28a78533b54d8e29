from __future__ import annotations

import torch

from quest22.engine.torch.cache import CrossKVPool, SelfKVCache
from quest22.engine.torch.device import Placement
from tests.engine.conftest import OpenCheckpoint

CPU = Placement(torch.device("cpu"), torch.float32)


def test_windows_are_brought_together_and_none_is_lost(checkpoint: OpenCheckpoint) -> None:
    pool = CrossKVPool(checkpoint("small-test").dimensions, 4, CPU)
    for row in range(4):
        pool.memory[:, :, row] = row
    for windows in ([2, 0], [3], [1, 3, 0, 2], [2, 1]):
        pool.arrange(windows)
        assert pool.rows_of(windows) == list(range(len(windows)))
        for window in range(4):
            (row,) = pool.rows_of([window])
            assert (pool.memory[:, :, row] == window).all()
    pool.begin_batch()
    assert pool.rows_of(range(4)) == [0, 1, 2, 3]


def test_sequences_continue_others(checkpoint: OpenCheckpoint) -> None:
    cache = SelfKVCache(checkpoint("small-test").dimensions, 4, CPU)
    for row in range(4):
        cache.memory[:, :, row] = row
    cache.continue_from([1, 0, 0], 5)
    assert cache.memory[0, 0, :, 0, 4, 0].tolist() == [1, 0, 0, 3]
    assert cache.memory[0, 0, :, 0, 5, 0].tolist() == [0, 1, 2, 3]
    assert cache.memory.shape[4] == cache.positions == 448


def test_there_is_room_for_the_beams_of_one_window(checkpoint: OpenCheckpoint) -> None:
    cache = SelfKVCache(checkpoint("small-test").dimensions, 4, CPU)
    assert [cache.windows(num_beams) for num_beams in (1, 3, 4, 6)] == [4, 1, 1, 1]
    assert cache.rows == len(cache.numbers) == cache.memory.shape[2] == 6
