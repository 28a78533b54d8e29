import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st

from quest22.audio.resample import in_blocks, to_16_khz
from quest22.records import SAMPLE_RATE_HZ

RATES = [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000]


@given(
    rate=st.sampled_from(RATES),
    cuts=st.lists(st.integers(0, 30_000), max_size=8),
    count=st.integers(1, 30_000),
)
def test_pieces_of_any_size_give_what_the_whole_gives(
    rate: int, cuts: list[int], count: int
) -> None:
    sound = np.random.default_rng(count).uniform(-1, 1, count).astype(np.float32)
    pieces = [(rate, part) for part in np.split(sound, sorted(c for c in cuts if c < count))]
    joined = np.concatenate(list(to_16_khz(pieces)))
    whole = soxr.resample(sound, rate, SAMPLE_RATE_HZ, quality="HQ")
    assert len(joined) == len(whole)
    assert np.abs(joined - whole).max(initial=0.0) < 1e-5


def test_a_new_rate_begins_a_new_stretch() -> None:
    parts = [(8_000, np.ones(8_000, np.float32)), (48_000, np.ones(48_000, np.float32))]
    joined = np.concatenate(list(to_16_khz(parts)))
    assert len(joined) == 2 * SAMPLE_RATE_HZ
    assert joined[4_000:12_000] == pytest.approx(1.0, abs=1e-3)


def test_nothing_in_gives_nothing_out() -> None:
    assert list(to_16_khz([])) == []
    assert list(in_blocks([], 10)) == []


@given(
    lengths=st.lists(st.integers(0, 50), max_size=20),
    block_samples=st.integers(1, 40),
)
def test_blocks_are_of_one_size_and_lose_nothing(lengths: list[int], block_samples: int) -> None:
    sound = np.arange(sum(lengths), dtype=np.float32)
    pieces = np.split(sound, np.cumsum(lengths)[:-1]) if lengths else []
    blocks = list(in_blocks(pieces, block_samples))
    assert all(len(block) == block_samples for block in blocks[:-1])
    assert all(0 < len(block) <= block_samples for block in blocks)
    assert np.array_equal(np.concatenate([*blocks, sound[:0]]), sound)
