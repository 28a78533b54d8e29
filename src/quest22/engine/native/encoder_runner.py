"""The encoder in C: each window on all cores, or some together where cores are many.

And a runner around any encoder, for a decoder that reads keys and values in int8.
"""

from __future__ import annotations

from quest22.engine.backend import Features
from quest22.engine.cpu_backend import EncoderRunner
from quest22.engine.kv_cache import CrossKVCache
from quest22.engine.native.decoder_network import NativeDecoderNetwork
from quest22.engine.native.encoder import NativeEncoder


class NativeEncoderRunner:
    """An :class:`EncoderRunner` in C, with ``at_once`` windows a call."""

    def __init__(self, encoder: NativeEncoder, cross_kv: CrossKVCache, at_once: int) -> None:
        self._encoder = encoder
        self._cross_kv = cross_kv
        self._at_once = at_once
        self._submitted: dict[int, Features] = {}

    def begin_batch(self, windows: int) -> None:
        self._submitted = {}

    def wait_for_slot(self) -> None:
        if len(self._submitted) == self._at_once:
            self.wait()

    def submit(self, row: int, features: Features) -> None:
        self.wait_for_slot()
        self._submitted[row] = features

    def wait(self) -> None:
        submitted, self._submitted = self._submitted, {}
        if submitted:
            self._encoder.encode(submitted, self._cross_kv)


class QuantizingEncoderRunner:
    """An :class:`EncoderRunner` into int8, with another one's ``floats`` in between.

    ``floats`` has rows for ``at_once`` windows: so what is quantized is still in the processor's
    cache.
    """

    def __init__(
        self,
        encoder: EncoderRunner,
        floats: CrossKVCache,
        network: NativeDecoderNetwork,
        cross_kv: CrossKVCache,
        at_once: int,
    ) -> None:
        self.encoder = encoder
        self._floats = floats
        self._network = network
        self._cross_kv = cross_kv
        self._at_once = at_once
        self._rows: list[int] = []

    def begin_batch(self, windows: int) -> None:
        self.encoder.begin_batch(windows)
        self._rows = []

    def wait_for_slot(self) -> None:
        if len(self._rows) == self._at_once:
            self.wait()
        self.encoder.wait_for_slot()

    def submit(self, row: int, features: Features) -> None:
        self.wait_for_slot()
        self.encoder.submit(len(self._rows), features)
        self._rows.append(row)

    def wait(self) -> None:
        self.encoder.wait()
        self._network.quantize(self._floats, self._cross_kv, self._rows)
        self._rows = []
