"""whisper.cpp's ``ggml-*.bin``: one file with shape, vocabulary and tensors of a Whisper model.

The layout is that of ``whisper_model_load``: magic, eleven sizes, mel filters, the vocabulary's
text tokens as bytes in the order of their numbers, then tensors by openai/whisper's names with
their axes reversed. Numbers of control tokens are not in the file: they follow from its size.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quest22.checkpoint.files import MAX_TOKENS
from quest22.checkpoint.formats.ggml_blocks import FORMATS, NumberFormat
from quest22.checkpoint.formats.mapped_bytes import ByteReader, MappedBytes
from quest22.checkpoint.formats.safetensors import Entry
from quest22.errors import CheckpointError
from quest22.system.regular_files import open_regular

MAGIC = 0x67676D6C
MAX_TOKEN_BYTES = 256
MAX_TEXT_BYTES = 1 << 20
"""Of all tokens together; multilingual Whisper has 0.3 MB."""

MAX_TENSORS = 100_000
MAX_NAME_BYTES = 1 << 10
MAX_MEL_BINS = 1024
MAX_AXES = 4
SIZES = (
    "vocab_size",
    "max_source_positions",
    "encoder_d_model",
    "encoder_heads",
    "encoder_layers",
    "max_target_positions",
    "decoder_d_model",
    "decoder_heads",
    "decoder_layers",
    "mel_bins",
)
"""The sizes at the beginning, in their order; a number format follows them."""

TRANSFORMERS_NAMES = MappingProxyType(
    {
        "blocks.": "layers.",
        "cross_attn_ln": "encoder_attn_layer_norm",
        "attn_ln": "self_attn_layer_norm",
        "mlp_ln": "final_layer_norm",
        "cross_attn.": "encoder_attn.",
        ".attn.": ".self_attn.",
        "query": "q_proj",
        "key": "k_proj",
        "value": "v_proj",
        "_attn.out.": "_attn.out_proj.",
        "mlp.0": "fc1",
        "mlp.2": "fc2",
        "decoder.ln.": "decoder.layer_norm.",
        "ln_post": "layer_norm",
        "token_embedding": "embed_tokens",
        "positional_embedding": "embed_positions.weight",
    }
)
"""Parts of openai/whisper's tensor names, in the order in which they are replaced."""


def transformers_name(name: str) -> str:
    """Transformers' name of a tensor from openai/whisper's."""
    for theirs, ours in TRANSFORMERS_NAMES.items():
        name = name.replace(theirs, ours)
    return name


@dataclass(frozen=True, slots=True)
class _Stored:
    """A tensor's place in the file: its format, its shape as numpy sees it, its bytes."""

    format: NumberFormat
    shape: tuple[int, ...]
    begin: int
    end: int


class GgmlFile:
    """A ggml file. ``entries`` names its tensors as Transformers does, without ``model.``.

    ``sizes`` are the model's by the names of :data:`SIZES`; ``tokens`` the text tokens' bytes.
    """

    def __init__(self, path: Path) -> None:
        """Map a file; raises :class:`CheckpointError` where it is no whole Whisper model."""
        self._file = MappedBytes(path)
        self.path = path
        reader = ByteReader(self._file.content, path, "whisper.cpp model")
        self.sizes = _sizes(reader, path)
        self.tokens = _tokens(reader)
        start = reader.position
        self._stored = _tensors(reader, path)
        self.entries = {name: _entry(stored) for name, stored in self._stored.items()}
        digest = hashlib.sha256(self._file.content[:start].tobytes())
        digest.update(repr(sorted(self.entries.items())).encode())
        self.header = digest.digest()

    def raw(self, name: str) -> NDArray[Any]:
        """A tensor: as stored without a copy, or float32 where the file holds blocks."""
        stored = self._stored[name]
        values = stored.format.unpack(self._file.content[stored.begin : stored.end], stored.shape)
        return values.reshape(self.entries[name].shape)

    def rows(self, name: str, rows: slice | NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Some rows of a matrix, as :meth:`raw` would give them."""
        stored = self._stored[name]
        content = self._file.content[stored.begin : stored.end].reshape(stored.shape[0], -1)[rows]
        shape = (len(content), *stored.shape[1:])
        return stored.format.unpack(np.ascontiguousarray(content).reshape(-1), shape)

    def sample(self, name: str, width: int) -> bytes:
        """``width`` bytes from the beginning, the middle and the end of a tensor."""
        stored = self._stored[name]
        return self._file.sample(stored.begin, stored.end, width)

    def release(self) -> None:
        """Give back the memory of the pages that were read; they are read again when needed."""
        self._file.release()


def is_ggml(path: Path) -> bool:
    """Whether a file begins as whisper.cpp's do."""
    try:
        with open_regular(path) as file:
            return file.read(4) == MAGIC.to_bytes(4, "little")
    except OSError:
        return False


def _sizes(reader: ByteReader, path: Path) -> dict[str, int]:
    if reader.number("I") != MAGIC:
        raise CheckpointError(f"{path} is no whisper.cpp model: expected it to begin with 'lmgg'")
    sizes = dict(zip(SIZES, reader.numbers(f"{len(SIZES)}i"), strict=True))
    reader.number("i")  # the format of most tensors; each names its own
    for name, size in sizes.items():
        if not 1 <= size <= MAX_TOKENS:
            raise reader.damaged(f"{name} is {size}")
    mel_bins, frequencies = reader.numbers("2i")
    if not (1 <= mel_bins <= MAX_MEL_BINS and 1 <= frequencies <= MAX_MEL_BINS):
        raise reader.damaged(f"its mel filters are [{mel_bins}, {frequencies}]")
    if mel_bins != sizes["mel_bins"]:
        raise reader.damaged(f"it has filters of {mel_bins} mel bins for {sizes['mel_bins']}")
    reader.skip(4 * mel_bins * frequencies)
    return sizes


def _tokens(reader: ByteReader) -> tuple[bytes, ...]:
    count = reader.number("i")
    if not 0 <= count <= MAX_TOKENS:
        raise reader.damaged(f"it claims {count} tokens")
    tokens: list[bytes] = []
    left = MAX_TEXT_BYTES
    for _ in range(count):
        length = reader.number("I")
        if length > min(MAX_TOKEN_BYTES, left):
            raise reader.damaged(f"a token claims {length} bytes")
        tokens.append(reader.bytes(length))
        left -= length
    return tuple(tokens)


def _tensors(reader: ByteReader, path: Path) -> dict[str, _Stored]:
    tensors: dict[str, _Stored] = {}
    while not reader.is_at_end:
        name, stored = _tensor(reader, path)
        if (known := transformers_name(name)) in tensors:
            raise reader.damaged(f"the tensor {name[:60]!r} is there twice")
        if len(tensors) >= MAX_TENSORS:
            raise reader.damaged(f"it holds more than {MAX_TENSORS} tensors")
        tensors[known] = stored
    return tensors


def _tensor(reader: ByteReader, path: Path) -> tuple[str, _Stored]:
    axes, length, kind = reader.numbers("3i")
    if not (1 <= axes <= MAX_AXES and 1 <= length <= MAX_NAME_BYTES):
        raise reader.damaged(f"a tensor has {axes} axes and a name of {length} bytes")
    shape = tuple(reversed(reader.numbers(f"{axes}i")))
    name = reader.bytes(length).decode("utf-8", "replace")
    shown = repr(name[:60])
    if kind not in FORMATS:
        raise CheckpointError(
            f"{path}: {shown} has ggml's number format {kind}, which is not supported: expected "
            f"{', '.join(each.name for each in FORMATS.values())}"
        )
    size = FORMATS[kind].bytes_of(shape) if all(each > 0 for each in shape) else None
    if size is None:
        raise reader.damaged(f"{shown} has the shape {list(shape)}")
    begin = reader.skip(size)
    return name, _Stored(FORMATS[kind], shape, begin, begin + size)


def _entry(stored: _Stored) -> Entry:
    """Biases of convolutions are columns in the file."""
    shape = stored.shape
    if len(shape) == 2 and shape[1] == 1:
        shape = (math.prod(shape),)
    return Entry(stored.format.dtype, shape, stored.begin, stored.end)
