"""CTranslate2's ``model.bin`` (faster-whisper's weights) as tensors by Transformers' names.

The layout is that of CTranslate2's ``ModelSpec.save`` (binary version 6): the name and revision of
the model's specification, then variables with name, shape, type and bytes, then aliases. Queries,
keys and values are one matrix in the file; here each is a view of its rows. Matrices in int8 or
int16 were multiplied by a scale for each row (or one for all) before they were rounded, so a weight
is ``stored / scale``.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quest22.checkpoint.formats.mapped_bytes import ByteReader, MappedBytes
from quest22.checkpoint.formats.safetensors import NUMPY_TYPES, Entry
from quest22.errors import CheckpointError
from quest22.system.regular_files import open_regular

VERSION = 6
SPECIFICATION = "WhisperSpec"
MAX_VARIABLES = 100_000
MAX_AXES = 8
MAX_NAME_BYTES = 1 << 10
_TYPES = ("F32", "I8", "I16", "I32", "F16", "BF16")
"""By the number that CTranslate2 gives each type: its name in safetensors."""

_QUANTIZED = ("I8", "I16")
_WHOLE = ("I8", "I16", "I32")


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows ``first`` to ``stop`` of a variable, all where ``stop`` is None."""

    variable: str
    first: int = 0
    stop: int | None = None


class CTranslate2File:
    """A ``model.bin``. ``entries`` names its tensors as Transformers does, without ``model.``."""

    def __init__(self, path: Path) -> None:
        """Map a file; raises :class:`CheckpointError` where it is no whole Whisper model."""
        self._file = MappedBytes(path)
        self.path = path
        self.variables = _variables(ByteReader(self._file.content, path, "CTranslate2 model"), path)
        self.heads = {side: self._scalar(f"{side}/num_heads") for side in ("encoder", "decoder")}
        self._parts = dict(_parts(self.variables))
        for name in {part.variable for part in self._parts.values()}:
            self._check_scale(name)
        self.entries = {name: self._entry(part) for name, part in self._parts.items()}
        self.header = hashlib.sha256(repr(sorted(self.variables.items())).encode()).digest()

    def raw(self, name: str) -> NDArray[Any]:
        """A tensor: as stored without a copy, or float32 where the file holds whole numbers."""
        part = self._parts[name]
        stored = self._stored(part.variable)[part.first : part.stop]
        if self.variables[part.variable].dtype not in _QUANTIZED:
            return stored.reshape(self.entries[name].shape)
        return self._dequantized(part, stored).reshape(self.entries[name].shape)

    def rows(self, name: str, rows: slice | NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Some rows of a tensor, as :meth:`raw` would give them."""
        part = self._parts[name]
        if self.variables[part.variable].dtype not in _QUANTIZED:
            return self.raw(name)[rows]
        stored = self._stored(part.variable)
        if isinstance(rows, slice):
            rows = np.arange(len(stored))[part.first : part.stop][rows]
        else:
            rows = rows + part.first
        return self._dequantized(part, stored[rows], rows)

    def sample(self, name: str, width: int) -> bytes:
        """``width`` bytes from the beginning, the middle and the end of a tensor's variable."""
        entry = self.variables[self._parts[name].variable]
        return self._file.sample(entry.begin, entry.end, width)

    def release(self) -> None:
        """Give back the memory of the pages that were read; they are read again when needed."""
        self._file.release()

    def _entry(self, part: _Part) -> Entry:
        entry = self.variables[part.variable]
        first, stop = part_span(part, entry.shape[0])
        dtype = "F32" if entry.dtype in _QUANTIZED else entry.dtype
        return Entry(dtype, (stop - first, *entry.shape[1:]), entry.begin, entry.end)

    def _stored(self, variable: str) -> NDArray[Any]:
        entry = self.variables[variable]
        content = self._file.content[entry.begin : entry.end]
        return content.view(NUMPY_TYPES[entry.dtype]).reshape(entry.shape)

    def _dequantized(
        self,
        part: _Part,
        stored: NDArray[Any],
        picked: NDArray[np.integer[Any]] | None = None,
    ) -> NDArray[np.float32]:
        scale = self._stored(f"{part.variable}_scale").astype(np.float32).reshape(-1)
        if len(scale) > 1:
            scale = scale[part.first : part.stop] if picked is None else scale[picked]
        scales = scale.reshape(-1, *[1] * (stored.ndim - 1))
        with np.errstate(divide="ignore", invalid="ignore"):  # the engine refuses what comes of it
            values: NDArray[np.float32] = stored.astype(np.float32) / scales
        return values

    def _check_scale(self, name: str) -> None:
        """Whole numbers come with a scale for each row, or one for all."""
        entry = self.variables[name]
        if entry.dtype not in _QUANTIZED:
            return
        scale = self.variables.get(f"{name}_scale")
        if scale is None or math.prod(scale.shape) not in (1, entry.shape[0]):
            raise CheckpointError(
                f"{self.path}: {name[:80]!r} lacks its scales: convert the model again"
            )

    def _scalar(self, name: str) -> int:
        if name not in self.variables or self.variables[name].shape:
            raise CheckpointError(f"{self.path} has no {name}: convert the model again")
        if self.variables[name].dtype not in _WHOLE:
            raise CheckpointError(f"{self.path}: {name} is no whole number: convert it again")
        return int(self._stored(name))


def part_span(part: _Part, rows: int) -> tuple[int, int]:
    """The rows of a variable that make a tensor: first and stop."""
    return part.first, rows if part.stop is None else part.stop


def is_whisper(path: Path) -> bool:
    """Whether a file begins as a ``model.bin`` of Whisper does."""
    try:
        with open_regular(path) as file:
            return SPECIFICATION.encode() in file.read(64)
    except OSError:
        return False


def _variables(reader: ByteReader, path: Path) -> dict[str, Entry]:
    version = reader.number("I")
    if version != VERSION:
        raise CheckpointError(
            f"{path} has the CTranslate2 format {version}, expected {VERSION}: convert the model "
            "again with a current ct2-transformers-converter"
        )
    specification = _name(reader)
    reader.number("I")  # the specification's revision
    if specification != SPECIFICATION:
        raise CheckpointError(
            f"{path} holds a {specification[:40]!r}, expected {SPECIFICATION!r}: only Whisper "
            "models can be run"
        )
    count = reader.number("I")
    if count > MAX_VARIABLES:
        raise reader.damaged(f"it claims {count} variables")
    variables = dict(_variable(reader) for _ in range(count))
    for alias, name in [(_name(reader), _name(reader)) for _ in range(_aliases(reader))]:
        if name not in variables:
            raise reader.damaged(f"{alias[:80]!r} stands for {name[:80]!r}, which it lacks")
        variables[alias] = variables[name]
    return variables


def _aliases(reader: ByteReader) -> int:
    count = 0 if reader.is_at_end else reader.number("I")
    if count > MAX_VARIABLES:
        raise reader.damaged(f"it claims {count} aliases")
    return count


def _variable(reader: ByteReader) -> tuple[str, Entry]:
    name = _name(reader)
    axes = reader.number("B")
    if axes > MAX_AXES:
        raise reader.damaged(f"{name[:80]!r} has {axes} axes")
    shape = reader.numbers(f"{axes}I")
    kind, size = reader.number("B"), reader.number("I")
    if kind >= len(_TYPES):
        raise reader.damaged(f"{name[:80]!r} has the unknown type {kind}")
    dtype = _TYPES[kind]
    if size != math.prod(shape) * NUMPY_TYPES[dtype].itemsize:
        raise reader.damaged(f"{name[:80]!r} does not fill its shape {list(shape)}")
    begin = reader.skip(size)
    return name, Entry(dtype, shape, begin, begin + size)


def _name(reader: ByteReader) -> str:
    length = reader.number("H")
    if length > MAX_NAME_BYTES:
        raise reader.damaged(f"a name claims {length} bytes")
    return reader.bytes(length).rstrip(b"\0").decode("utf-8", "replace")


def _parts(variables: Mapping[str, Entry]) -> Iterator[tuple[str, _Part]]:
    """Transformers' name of each tensor and where the file has it."""
    for name in ("encoder/conv1", "encoder/conv2"):
        yield from _pair(name.replace("/", "."), name, variables)
    for side in ("encoder", "decoder"):
        yield from _known(
            f"{side}.embed_positions.weight", f"{side}/position_encodings/encodings", variables
        )
        yield from _norm(f"{side}.layer_norm", f"{side}/layer_norm", variables)
        layers = (name.split("/")[1] for name in variables if name.startswith(f"{side}/layer_"))
        for layer in sorted({each for each in layers if each[6:].isdigit()}):
            yield from _layer(f"{side}.layers.{layer[6:]}", f"{side}/{layer}", variables)
    yield from _known("decoder.embed_tokens.weight", "decoder/embeddings/weight", variables)
    yield from _known("proj_out.weight", "decoder/projection/weight", variables)


def _layer(ours: str, theirs: str, variables: Mapping[str, Entry]) -> Iterator[tuple[str, _Part]]:
    qkv, kv = ("q_proj", "k_proj", "v_proj"), ("k_proj", "v_proj")
    attention = f"{theirs}/self_attention"
    yield from _split(f"{ours}.self_attn", f"{attention}/linear_0", qkv, variables)
    yield from _pair(f"{ours}.self_attn.out_proj", f"{attention}/linear_1", variables)
    yield from _norm(f"{ours}.self_attn_layer_norm", f"{attention}/layer_norm", variables)
    cross = f"{theirs}/attention"
    yield from _pair(f"{ours}.encoder_attn.q_proj", f"{cross}/linear_0", variables)
    yield from _split(f"{ours}.encoder_attn", f"{cross}/linear_1", kv, variables)
    yield from _pair(f"{ours}.encoder_attn.out_proj", f"{cross}/linear_2", variables)
    yield from _norm(f"{ours}.encoder_attn_layer_norm", f"{cross}/layer_norm", variables)
    yield from _pair(f"{ours}.fc1", f"{theirs}/ffn/linear_0", variables)
    yield from _pair(f"{ours}.fc2", f"{theirs}/ffn/linear_1", variables)
    yield from _norm(f"{ours}.final_layer_norm", f"{theirs}/ffn/layer_norm", variables)


def _split(
    ours: str, theirs: str, names: tuple[str, ...], variables: Mapping[str, Entry]
) -> Iterator[tuple[str, _Part]]:
    """Projections that the file holds as one; Whisper's keys have no bias, which is zero there."""
    for kind in ("weight", "bias"):
        entry = variables.get(f"{theirs}/{kind}")
        if entry is None or not entry.shape:
            continue
        width = entry.shape[0] // len(names)
        for place, name in enumerate(names):
            if (name, kind) != ("k_proj", "bias"):
                rows = _Part(f"{theirs}/{kind}", place * width, (place + 1) * width)
                yield f"{ours}.{name}.{kind}", rows


def _norm(ours: str, theirs: str, variables: Mapping[str, Entry]) -> Iterator[tuple[str, _Part]]:
    yield from _known(f"{ours}.weight", f"{theirs}/gamma", variables)
    yield from _known(f"{ours}.bias", f"{theirs}/beta", variables)


def _pair(ours: str, theirs: str, variables: Mapping[str, Entry]) -> Iterator[tuple[str, _Part]]:
    yield from _known(f"{ours}.weight", f"{theirs}/weight", variables)
    yield from _known(f"{ours}.bias", f"{theirs}/bias", variables)


def _known(ours: str, theirs: str, variables: Mapping[str, Entry]) -> Iterator[tuple[str, _Part]]:
    if theirs in variables and variables[theirs].shape:
        yield ours, _Part(theirs)
