"""Plays a recording to the product as if it were spoken now."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from quest22.capture.blocks import in_short_blocks
from quest22.records import SAMPLE_RATE_HZ, Samples

PACED_SAMPLES = SAMPLE_RATE_HZ // 20


def paced(
    sound: Iterable[Samples],
    wait: Callable[[float], bool],
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Samples]:
    """Blocks of 50 ms, each when its last sample would have been spoken.

    ``wait`` waits for so many seconds; True ends the recording. A consumer that takes longer gets
    the blocks that were spoken meanwhile without waiting.
    """
    begun_s = clock()
    spoken = 0
    for block in in_short_blocks(sound, PACED_SAMPLES):
        spoken += len(block)
        left_s = begun_s + spoken / SAMPLE_RATE_HZ - clock()
        if left_s > 0 and wait(left_s):
            return
        yield block
