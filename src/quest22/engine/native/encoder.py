"""The encoder in C, which ends in the decoder's cross-attention keys and values.

Knows the library's functions and Transformers' weight names. The runners at the end fill a batch's
:class:`CrossKVCache`: with each window on all cores, or with some together if there are many cores.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator, Mapping

import numpy as np

from quest22.checkpoint.config import Dimensions
from quest22.checkpoint.weights import Weights
from quest22.engine.backend import Features
from quest22.engine.cpu_backend import EncoderRunner
from quest22.engine.cross_kv_cache import CrossKVCache
from quest22.engine.native.decoder_network import NativeDecoderNetwork
from quest22.engine.native.weights import (
    BFLOAT16,
    INT4,
    INT8,
    INT16,
    Array,
    CrossKVLayout,
    Linear,
    Norm,
    floats,
    open_part,
    put_weights,
    self_attention,
)
from quest22.engine.precision import Precision
from quest22.errors import EngineError
from quest22.native.library import address, open_library
from quest22.system.machine import processor_flags

_BLOCK_LAYERS, _CONVOLUTIONS = 4, 2


class NativeEncoder:
    """Features to cross-attention keys and values: products of bfloat16, int8 or int16."""

    def __init__(
        self,
        library: ctypes.CDLL,
        handle: int,
        weights: Weights,
        dims: Dimensions,
        element: str,
    ) -> None:
        """Arrange a checkpoint's weights in the encoder that ``handle`` names, whose owner this is.

        Raises :class:`EngineError` where memory runs out or weights are not finite.
        """
        self._library = library
        self._handle = handle
        self._element = element
        self._layers = range(dims.decoder_layers)
        self._mel_bins, self._max_frames = dims.mel_bins, dims.max_source_positions
        self._layout = CrossKVLayout(dims.decoder_heads, dims.d_model // dims.decoder_heads)
        places = floats(weights["encoder.embed_positions.weight"])
        library.quest22_encoder_set_positions(handle, *places.shape, places.ctypes.data)
        put_weights(library, "encoder", handle, weights, _linear_layers(dims), _norms(dims))

    @classmethod
    def open(
        cls,
        weights: Weights,
        dims: Dimensions,
        precision: Precision,
        threads: int,
    ) -> NativeEncoder | None:
        """A checkpoint's encoder; None where no library runs this format and shape.

        Its outputs are activations. If those are ``bf16``, products are bfloat16, or with ``int8``
        of integers: the inputs of all layers but the convolutions are int8, with a scale for each
        frame and 256 channels. If they are ``f32``, products are ``int16``; with ``int8`` those of
        linear layers are int8 where the processor has an instruction for it. With ``int8`` or
        ``int4`` the weights of these layers are kept so, and widened where products are of more
        bits.

        None, too, where the graph is faster: on processors with AMX, unless weights are int4, which
        it does not have. Raises as the constructor does.
        """
        library = open_library()
        if library is None:
            return None
        element = precision.activations
        if element == "bf16" and "amx_bf16" in processor_flags() and not precision.int4:
            return None
        shape = [
            dims.encoder_layers,
            dims.d_model,
            dims.encoder_heads,
            dims.encoder_ffn,
            dims.mel_bins,
            dims.max_source_positions,
            dims.decoder_layers,
            dims.decoder_heads,
        ]
        for products, kept in _products_and_weights(precision):
            handle = open_part(library, "encoder", shape, products, kept, threads)
            if handle:
                return cls(library, handle, weights, dims, element)
        return None

    def __del__(self) -> None:
        self._library.quest22_encoder_close(self._handle)

    def encode(self, features: Mapping[int, Array], cross_kv: CrossKVCache) -> None:
        """Encode features into the rows of ``cross_kv`` that they are by.

        Of ``[mel bins, 2 n]`` come n frames. Raises :class:`EngineError` for features of another
        shape and where memory runs out.
        """
        inputs = [floats(each) for each in features.values()]
        frames = [self._frames(each) for each in inputs]
        rows = [cross_kv.open_row(row, count) for row, count in zip(features, frames, strict=True)]
        arrays = [np.array(frames, np.int32), np.array([each.ctypes.data for each in inputs])]
        for part in ("key", "value"):
            outputs = [
                address(
                    views[f"cross_{part}_{layer}"], *self._layout(part, self._element, 1, count)
                )
                for views, count in zip(rows, frames, strict=True)
                for layer in self._layers
            ]
            arrays.append(np.array(outputs, np.uintp))
        pointers = (each.ctypes.data for each in arrays)
        self._library.quest22_encoder_run(self._handle, len(inputs), *pointers)

    def _frames(self, features: Array) -> int:
        mel_bins, mel_frames = features.shape
        frames: int = mel_frames // 2
        if mel_bins != self._mel_bins or mel_frames % 2 or not 0 < frames <= self._max_frames:
            raise EngineError(
                f"features are {features.shape}: expected {self._mel_bins} mel bins and an even "
                f"number of frames from 2 to {2 * self._max_frames}"
            )
        return frames


def _products_and_weights(precision: Precision) -> list[tuple[int, int]]:
    """What a precision may mean to the library, best first: products' format, and weights'."""
    element = precision.activations
    if element not in ("bf16", "f32") or (element == "f32" and not precision.int16):
        return []
    wide = BFLOAT16 if element == "bf16" else INT16
    if not precision.int8:
        return [(wide, INT4 if precision.int4 else wide)]
    return [(INT8, INT8)] if element == "bf16" else [(INT8, INT8), (wide, INT8)]


def _linear_layers(dims: Dimensions) -> Iterator[Linear]:
    """All of them; the queries' scale is put into their weights, with scores to base 2."""
    scale = (dims.d_model // dims.encoder_heads) ** -0.5 * math.log2(math.e)
    for index in range(dims.encoder_layers):
        name, number = f"encoder.layers.{index}", _BLOCK_LAYERS * index
        yield from self_attention(name, number, dims.d_model, scale)
        yield Linear(f"{name}.fc1", number + 2)
        yield Linear(f"{name}.fc2", number + 3)
    number = _BLOCK_LAYERS * dims.encoder_layers
    yield Linear("encoder.conv1", number)
    yield Linear("encoder.conv2", number + 1)
    for index in range(dims.decoder_layers):
        name, place = f"decoder.layers.{index}.encoder_attn", number + _CONVOLUTIONS + index
        yield Linear(f"{name}.k_proj", place, 0)
        yield Linear(f"{name}.v_proj", place, dims.d_model)


def _norms(dims: Dimensions) -> Iterator[Norm]:
    for index in range(dims.encoder_layers):
        yield Norm(f"encoder.layers.{index}.self_attn_layer_norm")
        yield Norm(f"encoder.layers.{index}.final_layer_norm")
    yield Norm("encoder.layer_norm")


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
