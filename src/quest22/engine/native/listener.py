"""The encoder in C at work: each window on all cores, or some together where cores are many."""

from __future__ import annotations

from quest22.engine.native.encoder import NativeEncoder
from quest22.engine.native.layers import Array
from quest22.engine.states import CrossStates


class NativeListener:
    """A :class:`quest22.engine.listener.Listener` in machine code; ``at_once`` windows a call."""

    def __init__(self, encoder: NativeEncoder, states: CrossStates, at_once: int) -> None:
        self._encoder = encoder
        self._states = states
        self._at_once = at_once
        self._waiting: dict[int, Array] = {}

    def begin(self, windows: int) -> None:
        self._waiting = {}

    def make_room(self) -> None:
        if len(self._waiting) == self._at_once:
            self.finish()

    def hear(self, row: int, features: Array) -> None:
        self.make_room()
        self._waiting[row] = features

    def finish(self) -> None:
        waiting, self._waiting = self._waiting, {}
        if waiting:
            self._encoder.listen(waiting, self._states)
