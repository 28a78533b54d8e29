"""The decoder's layers in C as a network that is run step by step; see ``decoder_step.h``.

Knows the library's functions and Transformers' weight names; knows no tokens' meaning.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quest22.checkpoint.config import Dimensions
from quest22.checkpoint.weights import Weights
from quest22.engine.kv_cache import CrossKVCache
from quest22.engine.native.weights import (
    BFLOAT16,
    FLOAT32,
    INT8,
    Array,
    CrossKVLayout,
    Linear,
    floats,
    open_part,
    put_weights,
    self_attention,
)
from quest22.errors import EngineError
from quest22.native.arrays import address, addresses
from quest22.native.library import open_library

_ELEMENTS = {"f32": FLOAT32, "bf16": BFLOAT16}
_WORDS = "decoder.embed_tokens"
_NORMS = ("self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm")


@dataclass(frozen=True, slots=True)
class Formats:
    """Of what is multiplied and kept, ``f32`` or ``bf16``, and what of the rest is int8."""

    rows: str
    int8_weights: bool = False
    int8_sound: bool = False


class NativeDecoderNetwork:
    """A :class:`quest22.engine.decoder_session.DecoderNetwork` in machine code.

    Products are float32 or bfloat16 with sums in float32, and so is what passes from layer to
    layer. Weights of the linear layers may be int8, with a scale for each output; so may the keys
    and values of the sound, with a scale for each of a head's numbers.
    """

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
        self._places = np.array(weights["decoder.embed_positions.weight"], np.float32)
        self._states: CrossKVCache
        self._windows = np.empty(0, np.int32)
        self._logits = np.empty(0, np.float32)
        heads = dims.decoder_heads
        self._layout = CrossKVLayout(heads, dims.max_source_positions, dims.d_model // heads)
        put_weights(library, "decoder", handle, weights, _linear_layers(dims), _norms(dims))

    @classmethod
    def open(
        cls, weights: Weights, dims: Dimensions, formats: Formats, threads: int
    ) -> NativeDecoderNetwork | None:
        """A checkpoint's decoder; None where no library runs here, or none for this format.

        Raises as the constructor does.
        """
        library = open_library()
        rows = _ELEMENTS.get(formats.rows)
        if library is None or rows is None:
            return None
        shape = [
            dims.decoder_layers,
            dims.d_model,
            dims.decoder_heads,
            dims.decoder_ffn,
            dims.max_source_positions,
            dims.max_target_positions,
            dims.vocab_size,
        ]
        held = [INT8 if int8 else rows for int8 in (formats.int8_weights, formats.int8_sound)]
        handle = open_part(library, "decoder", shape, rows, *held, threads)
        return cls(library, handle, weights, dims, formats) if handle else None

    def __del__(self) -> None:
        self._library.quest22_decoder_close(self._handle)

    @property
    def sound_element(self) -> str:
        """What the sound that it attends to is kept in: ``i8``, or what rows are."""
        return "i8" if self._formats.int8_sound else self._formats.rows

    def round(self, sound: CrossKVCache, states: CrossKVCache, rows: Sequence[int]) -> None:
        """Into ``rows`` of ``states``, in int8: the first windows of ``sound``, as rows are."""
        given = [sound.views(slice(place, place + 1)) for place in range(len(rows))]
        kept = [states.views(slice(row, row + 1)) for row in rows]
        names = ("cross_key", "cross_value", "cross_key_scale", "cross_value_scale")
        formats = ((self._formats.rows, names[:2]), ("i8", names))
        places = np.array(
            [
                address(views[f"{name}_{layer}"], *self._layout(name[6:], element, 1))
                for pair in zip(given, kept, strict=True)
                for layer in self._layers
                for views, (element, some) in zip(pair, formats, strict=True)
                for name in some
            ],
            np.uintp,
        )
        count = len(rows) * len(self._layers)
        self._library.quest22_quantize_kv(self._handle, count, places.ctypes.data)

    def begin(self, states: CrossKVCache, windows: slice, num_beams: int) -> None:
        """Raises :class:`EngineError` where memory runs out."""
        views = states.views(windows)
        parts = ("key", "value", "key_scale", "value_scale")[: 4 if states.element == "i8" else 2]
        count = windows.stop - windows.start
        sound = [
            addresses(
                (views[f"cross_{part}_{layer}"] for layer in self._layers),
                *self._layout(part, self.sound_element, count),
            )
            for part in parts
        ]
        self._states = states  # whose memory is read
        self._windows = np.arange(count, dtype=np.int32)
        places = [each.ctypes.data for each in sound] + [None] * (4 - len(sound))
        self._library.quest22_decoder_begin(self._handle, count, count * num_beams, *places)

    def keep(self, windows: Sequence[int]) -> None:
        self._windows = self._windows[list(windows)]

    def run(
        self, tokens: NDArray[np.int32], position: int, beams: NDArray[np.int32], reads: list[int]
    ) -> Array:
        """Raises :class:`EngineError` where memory runs out."""
        sequences, count = tokens.shape
        x = self._embed(tokens, position)
        sizes = np.array([sequences, count, len(self._windows), position, len(reads)], np.int32)
        places = np.array(reads, np.int32)
        logits = self._room(sequences * len(reads))
        address(x, np.float32, (sequences, count, self._width))
        address(beams, np.int32, (sequences,))
        arrays = (sizes, x, beams, self._windows, places, logits)
        pointers = (each.ctypes.data for each in arrays)
        self._library.quest22_decoder_step(self._handle, *pointers)
        return logits.reshape(sequences, len(reads), self._vocabulary)

    def _embed(self, tokens: NDArray[np.int32], position: int) -> Array:
        words = self._weights.rows(f"{_WORDS}.weight", tokens.ravel())
        places = self._places[position : position + tokens.shape[1]]
        if position < 0 or len(places) != tokens.shape[1]:
            count = len(self._places)
            raise EngineError(f"{tokens.shape[1]} tokens at position {position}: of {count}")
        return floats(words.reshape(*tokens.shape, self._width) + places)

    def _room(self, rows: int) -> Array:
        """Memory for the logits of so many rows, the same at every call as far as it reaches."""
        wanted = rows * self._vocabulary
        if len(self._logits) < wanted:
            self._logits = np.empty(wanted, np.float32)
        return self._logits[:wanted]


def _linear_layers(dims: Dimensions) -> Iterator[Linear]:
    """All of them; the queries' scale is put into their weights, the output is the embedding."""
    scale = (dims.d_model // dims.decoder_heads) ** -0.5
    for index in range(dims.decoder_layers):
        name, number = f"decoder.layers.{index}", 6 * index
        yield from self_attention(name, number, dims.d_model, scale)
        yield Linear(f"{name}.encoder_attn.q_proj", number + 2, 0, scale)
        yield Linear(f"{name}.encoder_attn.out_proj", number + 3)
        yield Linear(f"{name}.fc1", number + 4)
        yield Linear(f"{name}.fc2", number + 5)
    yield Linear(_WORDS, 6 * dims.decoder_layers)


def _norms(dims: Dimensions) -> Iterator[str]:
    for index in range(dims.decoder_layers):
        yield from (f"decoder.layers.{index}.{name}" for name in _NORMS)
    yield "decoder.layer_norm"
