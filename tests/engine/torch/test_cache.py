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


def test_keys_and_values_in_int8_keep_their_scales(checkpoint: OpenCheckpoint) -> None:
    dims = checkpoint("small-test").dimensions
    pool = CrossKVPool(dims, 3, Placement(torch.device("cpu"), torch.float32, int8_kv=True))
    size = dims.d_model // dims.decoder_heads
    shape = (3, dims.decoder_heads, dims.max_source_positions, size)
    key, value = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    key[1] *= 50  # each window has scales of its own
    pool.write(1, slice(0, 3), key, value)
    pool.arrange([2, 1, 0])
    for row, window in enumerate([2, 1, 0]):
        found = pool.read(1, slice(row, row + 1))
        assert found.key.dtype == found.value.dtype == torch.int8
        restored = found.value * found.value_scale[:, :, None]
        assert (restored[0] - value[window]).abs().max() <= value[window].abs().max() / 254 + 1e-6
        expected = key[window, [1]]
        assert (found.keys_of([1])[0] - expected).abs().max() <= expected.abs().max() / 254 + 1e-6
    assert pool.memory.element_size() == 1


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
    assert len(cache.numbers) == cache.memory.shape[2] == 6
    assert cache.rows == 4  # batches are divided as before
