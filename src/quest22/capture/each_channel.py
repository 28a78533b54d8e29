"""Each channel of a source as a sound of its own, as the speakers of a call are recorded."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TypeAlias

import numpy as np

from quest22.capture.blocks import live_blocks
from quest22.capture.raw_pcm import Piece
from quest22.capture.sound_source import LiveSound
from quest22.records import Samples
from quest22.sink.formats.channel_marks import channel_name

WAITING_PIECES = 50
"""Pieces that wait for a slower channel, of at most 0.1 s each."""

_Item: TypeAlias = "Piece | Exception | None"


def channel_sounds(
    pieces: Iterable[Piece], pace: Callable[[Iterator[Samples]], Iterator[Samples]]
) -> Iterator[LiveSound]:
    """A sound for each channel of the first piece; a channel that is gone later is silent.

    Waits for the first piece. ``pace`` is applied to the blocks of each.
    """
    remaining = iter(pieces)
    first = next(remaining, None)
    if first is None:
        return
    count = len(first[1])
    waiting: list[queue.Queue[_Item]] = [queue.Queue(WAITING_PIECES) for _ in range(count)]
    threading.Thread(
        target=_share_out,
        args=(chain([first], remaining), waiting),
        name="quest22-channels",
        daemon=True,
    ).start()
    for number, each in enumerate(waiting):
        blocks = pace(live_blocks(_taken(each)))
        yield LiveSound(f"[{channel_name(number, count)}]", blocks, channel=number)


def _share_out(pieces: Iterator[Piece], waiting: list[queue.Queue[_Item]]) -> None:
    end: Exception | None = None
    try:
        for rate_hz, values in pieces:
            silence = np.zeros((1, values.shape[1]), np.float32)
            for number, each in enumerate(waiting):
                each.put(
                    (rate_hz, values[number : number + 1] if number < len(values) else silence)
                )
    except Exception as exc:
        end = exc
    for each in waiting:
        each.put(end)


def _taken(waiting: queue.Queue[_Item]) -> Iterator[Piece]:
    while (each := waiting.get()) is not None:
        if isinstance(each, Exception):
            raise each
        yield each
