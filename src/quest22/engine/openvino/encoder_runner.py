"""The encoder at work, in machine code or as a graph; this graph's listener.

A graph encodes one window on all cores, or several at once with a share each.

With many cores several at once leave fewer threads to wait for the slowest of every operation. A
window alone is answered sooner by all cores together. Each way has a compiled graph of its own,
made when it is first needed: who transcribes files one by one never makes the other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from quest22.checkpoint.load import Checkpoint
from quest22.engine.decoder_session import DecoderNetwork
from quest22.engine.encoder_runner import EncoderRunner, choose_at_once
from quest22.engine.kv_cache import CrossKVCache
from quest22.engine.native.decoder_network import NativeDecoderNetwork
from quest22.engine.native.encoder import NativeEncoder
from quest22.engine.native.encoder_runner import NativeEncoderRunner, QuantizingEncoderRunner
from quest22.engine.openvino.compiled_graphs import CompiledGraphs
from quest22.engine.openvino.decoder_network import tensors
from quest22.engine.openvino.encoder_graph import build_encoder

OpenEncoder = Callable[[int], ov.CompiledModel]
"""Opens the encoder for so many windows at once."""


class GraphEncoderRunner:
    """An EncoderRunner of the graph that ``build_encoder`` makes.

    Encodes ``streams`` windows at once where there are as many.
    """

    def __init__(self, open_encoder: OpenEncoder, states: CrossKVCache, streams: int) -> None:
        self._open = open_encoder
        self._states = states
        self._streams = streams
        self._made: dict[int, list[ov.InferRequest]] = {}
        self._free: list[ov.InferRequest] = []
        self._at_work: deque[ov.InferRequest] = deque()

    def begin(self, windows: int) -> None:
        while self._at_work:
            with suppress(RuntimeError):  # told when that batch failed
                self._at_work.popleft().wait()
        self._free = self._requests(self._streams if windows >= self._streams else 1).copy()

    def make_room(self) -> None:
        if not self._free:
            self._wait()

    def hear(self, row: int, features: NDArray[np.float32]) -> None:
        self.make_room()
        request = self._free.pop()
        for name, tensor in tensors(self._states.views(slice(row, row + 1))).items():
            request.set_tensor(name, tensor)
        request.set_tensor("features", ov.Tensor(features[None]))
        request.start_async()
        self._at_work.append(request)

    def finish(self) -> None:
        while self._at_work:
            self._wait()

    def _wait(self) -> None:
        request = self._at_work.popleft()
        request.wait()
        self._free.append(request)

    def _requests(self, streams: int) -> list[ov.InferRequest]:
        if streams not in self._made:
            encoder = self._open(streams)
            self._made[streams] = [encoder.create_infer_request() for _ in range(streams)]
        return self._made[streams]


def open_encoder_runner(
    checkpoint: Checkpoint,
    graphs: CompiledGraphs,
    network: DecoderNetwork,
    states: CrossKVCache,
    threads: int,
) -> EncoderRunner:
    """A checkpoint's encoder in the precision of its graphs, for the rows of ``states``.

    In machine code where a library is there and knows the format, else as a graph. Raises
    :class:`EngineError` where memory runs out or the graph cannot be compiled.
    """
    at_once = choose_at_once(states.rows, threads)
    if not isinstance(network, NativeDecoderNetwork) or network.sound_element != "i8":
        return _open_encoder(checkpoint, graphs, states, threads, at_once)
    element = graphs.compiler.precision.activations
    sound = CrossKVCache(checkpoint.dimensions, at_once, element)
    listener = _open_encoder(checkpoint, graphs, sound, threads, at_once)
    return QuantizingEncoderRunner(listener, sound, network, states, at_once)


def _open_encoder(
    checkpoint: Checkpoint, graphs: CompiledGraphs, states: CrossKVCache, threads: int, at_once: int
) -> EncoderRunner:
    weights, dims, precision = checkpoint.weights, checkpoint.dimensions, graphs.compiler.precision
    element, int8 = states.element, precision.int8
    if int8 == precision.quantized:
        native = NativeEncoder.open(weights, dims, element, threads, int8=int8)
        if native is not None:
            return NativeEncoderRunner(native, states, at_once)
    return GraphEncoderRunner(
        lambda count: graphs.open(
            "encoder", lambda: build_encoder(weights, dims, element, int8), count
        ),
        states,
        at_once,
    )
