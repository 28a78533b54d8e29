"""The encoder in C at work: each window on all cores, or some together where cores are many.

And any encoder at work for a decoder that keeps what it hears in int8.
"""

from __future__ import annotations

from quest22.engine.encoder_runner import EncoderRunner
from quest22.engine.kv_cache import CrossKVCache
from quest22.engine.native.decoder_network import NativeDecoderNetwork
from quest22.engine.native.encoder import NativeEncoder
from quest22.engine.native.weights import Array


class NativeEncoderRunner:
    """An EncoderRunner in machine code; ``at_once`` windows a call."""

    def __init__(self, encoder: NativeEncoder, states: CrossKVCache, at_once: int) -> None:
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


class QuantizingEncoderRunner:
    """An EncoderRunner into int8, by way of another's ``sound``.

    ``sound`` has rows for ``at_once`` windows: so what is rounded is still in the cache.
    """

    def __init__(
        self,
        listener: EncoderRunner,
        sound: CrossKVCache,
        network: NativeDecoderNetwork,
        states: CrossKVCache,
        at_once: int,
    ) -> None:
        self._listener = listener
        self._sound = sound
        self._network = network
        self._states = states
        self._at_once = at_once
        self._rows: list[int] = []

    def begin(self, windows: int) -> None:
        self._listener.begin(windows)
        self._rows = []

    def make_room(self) -> None:
        if len(self._rows) == self._at_once:
            self.finish()
        self._listener.make_room()

    def hear(self, row: int, features: Array) -> None:
        self.make_room()
        self._listener.hear(len(self._rows), features)
        self._rows.append(row)

    def finish(self) -> None:
        self._listener.finish()
        self._network.round(self._sound, self._states, self._rows)
        self._rows = []
