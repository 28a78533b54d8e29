"""Parts of a batch in flight: windows of the next ones take the places that others leave.

A part is encoded into free rows of the pool while windows of earlier parts are being decoded, and
gives its rows back when nobody needs its sound any more. Who takes which place follows from the
order of the parts and from counts of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from quest22.decoding.token_decoders import DecodeRequest
from quest22.engine.backend import Features, OnResult
from quest22.engine.torch.cache import CrossKVPool
from quest22.engine.torch.search import DeviceSearch

WithinMemory: TypeAlias = "Callable[[Callable[[], None]], None]"
"""Does work on the device; raises :class:`SmallerBatchError` if memory runs out."""


@dataclass(frozen=True, slots=True, eq=False)
class EncodedWindows:
    """The numbers of windows in the pool: of a whole batch, or of a part of it."""

    windows: Sequence[int]


@dataclass(slots=True, eq=False)
class _Part:
    """Windows that are decoded, and those that are not yet; results go to ``on_result``."""

    encoded: EncodedWindows
    left: set[int]
    on_result: OnResult


class TorchFlow:
    """A :class:`quest22.engine.backend.DecodeFlow` over a pool and a search, until an error."""

    def __init__(
        self,
        pool: CrossKVPool,
        search: DeviceSearch,
        part_size: int,
        encode: Callable[[Sequence[Callable[[], Features]], Sequence[int]], None],
        takes: Callable[[DecodeRequest], bool],
        within_memory: WithinMemory,
    ) -> None:
        """``encode`` puts windows into the pool; ``takes`` says what the search can decode."""
        self.part_size = part_size
        self.takes = takes
        self._pool = pool
        self._search = search
        self._encode = encode
        self._within_memory = within_memory
        self._parts: list[_Part] = []
        pool.begin_batch()
        search.restart(num_beams=1)

    @property
    def room(self) -> int:
        return self._pool.room

    def encode(self, features: Sequence[Callable[[], Features]]) -> EncodedWindows:
        """Decoding goes on meanwhile, if there are windows for all places."""
        if self._search.can_be_full:
            self._within_memory(self._search.launch)
        windows = self._pool.take(len(features))
        self._encode(features, windows)
        return EncodedWindows(windows)

    def submit(
        self, cross_kv: EncodedWindows, requests: Sequence[DecodeRequest], on_result: OnResult
    ) -> None:
        self._parts.append(_Part(cross_kv, set(cross_kv.windows), on_result))
        self._search.add(dict(zip(cross_kv.windows, requests, strict=True)))

    def collect(self) -> EncodedWindows:
        while True:
            for place, part in enumerate(self._parts):
                if not part.left:
                    return self._parts.pop(place).encoded
            self._within_memory(self._advance)

    def release(self, cross_kv: EncodedWindows) -> None:
        self._pool.release(cross_kv.windows)

    def _advance(self) -> None:
        of = {window: part for part in self._parts for window in part.left}
        for window, result in self._search.advance():
            of[window].left.remove(window)
            of[window].on_result(of[window].encoded.windows.index(window), result)
