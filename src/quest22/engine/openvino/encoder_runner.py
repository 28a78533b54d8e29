"""The encoder as a graph that encodes one window on all cores, or several at once.

With many cores, several windows at once are faster, because fewer threads wait for the slowest one
at every operation. A single window is faster on all cores together. Each mode has its own compiled
graph, opened when it is first needed: transcribing files one by one never compiles the other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress

import openvino as ov

from quest22.engine.backend import Features
from quest22.engine.cross_kv_cache import CrossKVCache
from quest22.engine.openvino.decoder_network import tensors

OpenEncoder = Callable[[int], ov.CompiledModel]
"""Opens the encoder for this many windows at once."""


class GraphEncoderRunner:
    """An :class:`quest22.engine.cpu_backend.EncoderRunner` of the graph of ``build_encoder``.

    Encodes ``streams`` windows at once in batches of at least as many, else one after the other.
    """

    def __init__(self, open_encoder: OpenEncoder, cross_kv: CrossKVCache, streams: int) -> None:
        self._open = open_encoder
        self._cross_kv = cross_kv
        self._streams = streams
        self._requests: dict[int, list[ov.InferRequest]] = {}
        self._free: list[ov.InferRequest] = []
        self._running: deque[ov.InferRequest] = deque()

    def begin_batch(self, windows: int) -> None:
        while self._running:
            with suppress(RuntimeError):  # reported when that batch failed
                self._running.popleft().wait()
        self._free = self._open_requests(self._streams if windows >= self._streams else 1).copy()

    def wait_for_slot(self) -> None:
        if not self._free:
            self._wait_for_first()

    def submit(self, row: int, features: Features) -> None:
        self.wait_for_slot()
        request = self._free.pop()
        for name, tensor in tensors(self._cross_kv.views(slice(row, row + 1))).items():
            request.set_tensor(name, tensor)
        request.set_tensor("features", ov.Tensor(features[None]))
        request.start_async()
        self._running.append(request)

    def wait(self) -> None:
        while self._running:
            self._wait_for_first()

    def _wait_for_first(self) -> None:
        request = self._running.popleft()
        request.wait()
        self._free.append(request)

    def _open_requests(self, streams: int) -> list[ov.InferRequest]:
        if streams not in self._requests:
            encoder = self._open(streams)
            self._requests[streams] = [encoder.create_infer_request() for _ in range(streams)]
        return self._requests[streams]
