"""The decoder's layers in C, run step by step.

Knows the library's functions and Transformers' weight names; knows nothing of tokens' meaning.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quest22.checkpoint.config import Dimensions
from quest22.checkpoint.weights import Weights
from quest22.decoding.alignment import Heads, Scores
from quest22.engine.cross_kv_cache import CrossKVCache
from quest22.engine.native.balance import balance_of
from quest22.engine.native.weights import (
    BFLOAT16,
    FLOAT32,
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
from quest22.errors import EngineError
from quest22.native.library import address, addresses, open_library

_ELEMENTS = {"f32": FLOAT32, "bf16": BFLOAT16}
_EMBEDDING = "decoder.embed_tokens"
_NORMS = ("self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm")


@dataclass(frozen=True, slots=True)
class Formats:
    """The format of products and caches, ``f32`` or ``bf16``, and which other values are smaller.

    Integer weights, int8, int16 or int4, are multiplied with activations that are rounded to int16.
    """

    rows: str
    int8_weights: bool = False
    int8_kv: bool = False
    int16_weights: bool = False
    int4_weights: bool = False

    @property
    def weights(self) -> int:
        """The format of the linear layers' weights, as the library counts."""
        if self.int4_weights:
            return INT4
        return INT8 if self.int8_weights else INT16 if self.int16_weights else _ELEMENTS[self.rows]


class NativeDecoderNetwork:
    """A :class:`quest22.engine.cpu_backend.DecoderNetwork` in C.

    Products are float32 or bfloat16 with sums in float32; activations are float32. Weights of the
    linear layers may be int8 or int16, with a scale for each output, or int4, with one for each 32
    of its inputs; then products are of integers, a layer's inputs are int16 with a scale for each
    row and 256 inputs, and the last layer's weights are int8. Cross-attention keys and values may
    be int8, with a scale for each of a head's numbers.
    """

    any_frames = True

    def __init__(
        self,
        library: ctypes.CDLL,
        handle: int,
        weights: Weights,
        dims: Dimensions,
        formats: Formats,
    ) -> None:
        """Arrange a checkpoint's weights in the decoder that ``handle`` names, whose owner this is.

        Raises :class:`EngineError` where memory runs out or weights are not finite.
        """
        self._library = library
        self._handle = handle
        self._weights = weights
        self._formats = formats
        self._layers = range(dims.decoder_layers)
        self._vocabulary = dims.vocab_size
        self._width = dims.d_model
        self._positions = np.array(weights["decoder.embed_positions.weight"], np.float32)
        self.positions = len(self._positions)
        self._cross_kv: CrossKVCache
        self._rows = np.empty(0, np.int32)
        self._frames = np.empty(0, np.int32)
        self._kept_heads, self._kept = np.empty((0, 2), np.int32), np.empty(0, np.float32)
        self._logits = np.empty(0, np.float32)
        self._max_frames = dims.max_source_positions
        self._layout = CrossKVLayout(dims.decoder_heads, dims.d_model // dims.decoder_heads)
        are_integers = formats.weights in (INT16, INT8, INT4)
        balance = balance_of(weights, _EMBEDDING) if are_integers else None
        layers, norms = _linear_layers(dims, balance), _norms(dims, balance)
        put_weights(library, "decoder", handle, weights, layers, norms)
        library.quest22_decoder_compact(handle)

    @classmethod
    def open(
        cls, weights: Weights, dims: Dimensions, formats: Formats, threads: int
    ) -> NativeDecoderNetwork | None:
        """A checkpoint's decoder; None where no library runs this format and shape.

        Raises as the constructor does.
        """
        library = open_library()
        if library is None or not cls.supports(dims, formats):
            return None
        rows, shape = _ELEMENTS[formats.rows], _shape(dims)
        kv = INT8 if formats.int8_kv else rows
        handle = open_part(library, "decoder", shape, rows, formats.weights, kv, threads)
        return cls(library, handle, weights, dims, formats) if handle else None

    @classmethod
    def supports(cls, dims: Dimensions, formats: Formats) -> bool:
        """Whether there is a library that runs this format and shape."""
        library, rows = open_library(), _ELEMENTS.get(formats.rows)
        if library is None or rows is None:
            return False
        shape = np.array(_shape(dims), np.int32)
        return bool(library.quest22_decoder_supports(shape.ctypes.data, rows))

    def __del__(self) -> None:
        self._library.quest22_decoder_close(self._handle)

    @property
    def kv_element(self) -> str:
        """The element type of the keys and values that it reads: ``i8``, or that of rows."""
        return "i8" if self._formats.int8_kv else self._formats.rows

    def quantize(self, source: CrossKVCache, target: CrossKVCache, rows: Sequence[int]) -> None:
        """Round the first rows of ``source`` to int8, into ``rows`` of ``target``."""
        frames = source.frames[: len(rows)].tolist()
        layers = range(source.layers)  # more than this decoder's if a draft model's are there too
        given = [source.row_views(index) for index in range(len(rows))]
        kept = [target.open_row(row, count) for row, count in zip(rows, frames, strict=True)]
        names = ("cross_key", "cross_value", "cross_key_scale", "cross_value_scale")
        formats = ((self._formats.rows, names[:2]), ("i8", names))
        places = np.array(
            [
                address(views[f"{name}_{layer}"], *self._layout(name[6:], element, 1, count))
                for *pair, count in zip(given, kept, frames, strict=True)
                for layer in layers
                for views, (element, some) in zip(pair, formats, strict=True)
                for name in some
            ],
            np.uintp,
        )
        counts = np.repeat(np.array(frames, np.int32), len(layers))
        self._library.quest22_quantize_kv(
            self._handle, len(counts), counts.ctypes.data, places.ctypes.data
        )

    def begin(self, cross_kv: CrossKVCache, windows: Sequence[int], num_beams: int) -> None:
        """Raises :class:`EngineError` where memory runs out."""
        rows = cross_kv.rows
        views = cross_kv.views(slice(0, rows))
        parts = ("key", "value", "key_scale", "value_scale")[: 4 if cross_kv.element == "i8" else 2]
        arrays = [
            addresses(
                (views[f"cross_{part}_{layer}"] for layer in self._layers),
                *self._layout(part, self.kv_element, rows, self._max_frames),
            )
            for part in parts
        ]
        self._cross_kv = cross_kv  # whose memory is read
        self._rows = np.array(cross_kv.rows_of(windows), np.int32)
        self._frames = cross_kv.frames.copy()
        places = [each.ctypes.data for each in arrays] + [None] * (4 - len(arrays))
        sequences, frames = len(windows) * num_beams, self._frames.ctypes.data
        self._library.quest22_decoder_begin(self._handle, rows, sequences, frames, *places)

    def keep_scores(self, heads: Heads) -> Scores:
        """Raises :class:`EngineError` for more than one sequence and for heads that are not there.

        The array is written to until the next batch begins.
        """
        rows, frames = len(heads) * len(self._positions), int(self._frames[self._rows[0]])
        self._kept_heads = np.array(heads, np.int32)
        self._kept = np.empty(rows * self._max_frames, np.float32)
        self._library.quest22_decoder_keep_scores(
            self._handle, len(heads), self._kept_heads.ctypes.data, self._kept.ctypes.data
        )
        return self._kept[: rows * frames].reshape(len(heads), -1, frames)

    def select_windows(self, windows: Sequence[int]) -> None:
        self._rows = self._rows[list(windows)]

    def step(
        self,
        tokens: NDArray[np.int32],
        position: int,
        beams: NDArray[np.int32],
        logit_positions: list[int],
    ) -> Array:
        """Raises :class:`EngineError` where memory runs out."""
        places = np.array(logit_positions, np.int32)
        return self._run(tokens, np.array([position]), beams, [position], places)

    def step_rows(
        self,
        tokens: NDArray[np.int32],
        positions: NDArray[np.int32],
        beams: NDArray[np.int32],
        logit_positions: NDArray[np.int32],
    ) -> Array:
        """As :meth:`step`, with each row at its own ``positions [B]``.

        ``logit_positions`` are ``[B, N]``. A row continues the one of its own number, or one whose
        number is no longer there. Raises :class:`EngineError` where memory runs out.
        """
        return self._run(tokens, positions, beams, [-1, *positions], logit_positions)

    def _run(
        self,
        tokens: NDArray[np.int32],
        positions: NDArray[np.integer[Any]],
        beams: NDArray[np.int32],
        placed: Sequence[int],
        logit_positions: NDArray[np.int32],
    ) -> Array:
        """``placed`` are the positions as the library has them."""
        sequences, count = tokens.shape
        wanted = logit_positions.shape[-1]
        x = self._embed(tokens, positions)
        position, *own = placed
        sizes = np.array([sequences, count, len(self._rows), position, wanted, *own], np.int32)
        logits = self._logits_buffer(sequences * wanted)
        address(x, np.float32, (sequences, count, self._width))
        address(beams, np.int32, (sequences,))
        address(logit_positions, np.int32, (*([sequences] if own else []), wanted))
        arrays = (sizes, x, beams, self._rows, logit_positions, logits)
        pointers = (each.ctypes.data for each in arrays)
        self._library.quest22_decoder_step(self._handle, *pointers)
        return logits.reshape(sequences, wanted, self._vocabulary)

    def _embed(self, tokens: NDArray[np.int32], positions: NDArray[np.integer[Any]]) -> Array:
        """``positions`` are those of the first token: of each row, or of all."""
        count = tokens.shape[1]
        if positions.min() < 0 or positions.max() + count > len(self._positions):
            most = len(self._positions)
            raise EngineError(f"{count} tokens at position {positions.max()}: of {most}")
        embedded = self._weights.rows(f"{_EMBEDDING}.weight", tokens.ravel())
        places = self._positions[positions[:, None] + np.arange(count)]
        return floats(embedded.reshape(*tokens.shape, self._width) + places)

    def _logits_buffer(self, rows: int) -> Array:
        """Memory for the logits of so many rows, reused from call to call where it is enough."""
        size = rows * self._vocabulary
        if len(self._logits) < size:
            self._logits = np.empty(size, np.float32)
        return self._logits[:size]


def _shape(dims: Dimensions) -> list[int]:
    """As the library takes it."""
    return [
        dims.decoder_layers,
        dims.d_model,
        dims.decoder_heads,
        dims.decoder_ffn,
        dims.max_source_positions,
        dims.max_target_positions,
        dims.vocab_size,
    ]


def _linear_layers(dims: Dimensions, balance: Array | None) -> Iterator[Linear]:
    """All of them; the queries' scale is put into their weights, the output is the embedding.

    ``balance`` is of the last layer.
    """
    scale = (dims.d_model // dims.decoder_heads) ** -0.5
    for index in range(dims.decoder_layers):
        name, number = f"decoder.layers.{index}", 6 * index
        yield from self_attention(name, number, dims.d_model, scale)
        yield Linear(f"{name}.encoder_attn.q_proj", number + 2, 0, scale)
        yield Linear(f"{name}.encoder_attn.out_proj", number + 3)
        yield Linear(f"{name}.fc1", number + 4)
        yield Linear(f"{name}.fc2", number + 5)
    yield Linear(_EMBEDDING, 6 * dims.decoder_layers, balance=balance)


def _norms(dims: Dimensions, balance: Array | None) -> Iterator[Norm]:
    for index in range(dims.decoder_layers):
        yield from (Norm(f"decoder.layers.{index}.{name}") for name in _NORMS)
    yield Norm("decoder.layer_norm", balance)
