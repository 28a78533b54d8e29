from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.errors import UsageError
from quest22.records import SAMPLE_RATE_HZ
from quest22.settings import MIN_MEMORY_BYTES, SAMPLE_BYTES, MemorySettings
from quest22.settings.memory import MEMORY


@given(st.integers(MIN_MEMORY_BYTES, 1 << 40))
def test_the_shares_of_memory_are_no_more_than_the_whole(total: int) -> None:
    memory = MemorySettings.of(total)
    sound = memory.decoded_s * SAMPLE_RATE_HZ * SAMPLE_BYTES
    flowing = memory.fetched_bytes + memory.undecoded_bytes + sound
    assert flowing <= total / 2
    assert flowing + memory.shuffled_bytes <= total


def test_too_little_memory_is_refused() -> None:
    with pytest.raises(UsageError, match="expected at least 64 MiB"):
        MemorySettings.of((64 << 20) - 1)


@pytest.mark.parametrize("total", ["256M", 256 << 20])
def test_a_total_is_read_as_text_or_bytes(total: object) -> None:
    memory = MEMORY.read("memory", total)
    assert memory == MemorySettings.of(256 << 20)
    assert MEMORY.write(memory) == "256M"
