"""The memory limit of a run, divided among its buffers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from quest22.errors import UsageError
from quest22.records import SAMPLE_RATE_HZ
from quest22.settings.forms import SIZE, Form, read_size

MEMORY_BYTES = 1 << 30
MIN_MEMORY_BYTES = 64 << 20
SAMPLE_BYTES = 4


@dataclass(frozen=True, slots=True)
class MemorySettings:
    """The size of each buffer, apart from the program and the model; :meth:`of` divides a total.

    ``fetched_bytes`` is prefetched from the network. ``undecoded_bytes`` are clips that wait to be
    decoded, at most ``clips_ahead`` of them. ``decoded_s`` is decoded audio that waits for the
    engine, in seconds. ``spooled_bytes`` is how much of a recording without random access stays in
    memory before it goes to disk. ``shuffled_bytes`` is the shuffle buffer. The rest of the total
    is for what must be in memory as a whole: a page of Parquet, compressed and decompressed. Clips
    being transcribed do not count: the batch size decides how many they are, and memory must not
    change what is transcribed.
    """

    fetched_bytes: int
    undecoded_bytes: int
    decoded_s: float
    spooled_bytes: int
    shuffled_bytes: int
    clips_ahead: int = 256

    @classmethod
    def of(cls, total_bytes: int = MEMORY_BYTES) -> MemorySettings:
        """Divide a total. Raises :class:`UsageError` below 64 MiB."""
        if total_bytes < MIN_MEMORY_BYTES:
            raise UsageError(
                f"memory is {total_bytes / 2**20:.0f} MiB: expected at least "
                f"{MIN_MEMORY_BYTES >> 20} MiB, such as 512M or 1G"
            )
        share = total_bytes // 16
        return cls(
            fetched_bytes=share,
            undecoded_bytes=share,
            decoded_s=share / SAMPLE_BYTES / SAMPLE_RATE_HZ,
            spooled_bytes=share // 4,
            shuffled_bytes=8 * share,
        )


def _read_memory(name: str, value: Any) -> MemorySettings:
    return MemorySettings.of(read_size(name, value))


def _write_memory(memory: MemorySettings) -> str | None:
    return SIZE.write(2 * memory.shuffled_bytes)


MEMORY = Form(_read_memory, SIZE.python_type, _write_memory)
"""A total as text or bytes."""
