"""Safetensors files: a memory-mapped reader that checks the header, and a streaming writer.

The format is eight bytes of header length, a JSON header, then the tensors' bytes
(https://huggingface.co/docs/safetensors). The safetensors library copies every tensor into NumPy
and lacks bfloat16 there, hence this reader.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quest22.checkpoint.files import parse_json
from quest22.checkpoint.formats.mapped_bytes import MappedBytes
from quest22.errors import CheckpointError

MAX_HEADER_BYTES = 16 << 20
LFS_POINTER = b"version https://git-lfs"
"""What ``git clone`` leaves in place of the weights without Git LFS."""
MAX_AXES = 8
NUMPY_TYPES: MappingProxyType[str, np.dtype[Any]] = MappingProxyType(
    {
        "F64": np.dtype("<f8"),
        "F32": np.dtype("<f4"),
        "F16": np.dtype("<f2"),
        "BF16": np.dtype("<u2"),
        "F8_E4M3": np.dtype("u1"),
        "F8_E5M2": np.dtype("u1"),
        "I64": np.dtype("<i8"),
        "I32": np.dtype("<i4"),
        "I16": np.dtype("<i2"),
        "I8": np.dtype("i1"),
        "U64": np.dtype("<u8"),
        "U32": np.dtype("<u4"),
        "U16": np.dtype("<u2"),
        "U8": np.dtype("u1"),
        "BOOL": np.dtype("?"),
    }
)
"""The format's types → NumPy's; bfloat16 and float8 as their bits."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A tensor's type, shape, and byte range from the start of the file."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class SafetensorsFile:
    """A safetensors file; see :class:`quest22.checkpoint.weights.WeightFile`."""

    def __init__(self, path: Path) -> None:
        """Map a file; raises :class:`CheckpointError` if it is not a valid safetensors file."""
        self.path = path
        self._file = MappedBytes(path)
        content = self._file.content
        self.header, start = _header(content, path)
        self.entries = _entries(self.header, start, len(content), path)

    def raw(self, name: str) -> NDArray[Any]:
        """A tensor in its stored type, read-only and without a copy."""
        entry = self.entries[name]
        stored = self._file.content[entry.begin : entry.end].view(NUMPY_TYPES[entry.dtype])
        return stored.reshape(entry.shape)

    def rows(self, name: str, rows: slice | NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Some rows of a tensor, without reading the others."""
        return self.raw(name)[rows]

    def sample(self, name: str, width: int) -> bytes:
        """``width`` bytes each from the start, the middle and the end of a tensor."""
        entry = self.entries[name]
        return self._file.sample(entry.begin, entry.end, width)

    def release(self) -> None:
        """Release the memory of all pages that were read; they are read again when needed."""
        self._file.release()


def _header(content: NDArray[np.uint8], path: Path) -> tuple[bytes, int]:
    """The header's bytes, and the offset of the tensors' bytes."""
    if len(content) < 10:
        raise _damaged(path, f"it holds {len(content)} bytes")
    length = int.from_bytes(content[:8].tobytes(), "little")
    if content[: len(LFS_POINTER)].tobytes() == LFS_POINTER:
        raise CheckpointError(
            f"{path} is a Git LFS pointer, not the weights: fetch them with: git lfs pull"
        )
    if not 2 <= length <= min(MAX_HEADER_BYTES, len(content) - 8):
        raise _damaged(path, f"its header claims {length} bytes")
    return content[8 : 8 + length].tobytes(), 8 + length


def _entries(header: bytes, start: int, size: int, path: Path) -> dict[str, Entry]:
    try:
        table = parse_json(header)
    except ValueError as exc:
        raise _damaged(path, f"its header is not JSON: {exc}") from exc
    if not isinstance(table, dict):
        raise _damaged(path, "its header is not a table")
    entries = {
        name: _entry(name, value, start, size, path)
        for name, value in table.items()
        if name != "__metadata__"
    }
    _check_apart(entries, path)
    return entries


def _check_apart(entries: Mapping[str, Entry], path: Path) -> None:
    """Two tensors share no bytes: in a good file none do."""
    ordered = sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end))
    for (name, entry), (other, following) in pairwise(ordered):
        if following.begin < entry.end:
            raise _damaged(path, f"{name[:80]!r} and {other[:80]!r} overlap")


def _entry(name: str, value: Any, start: int, size: int, path: Path) -> Entry:
    shown = repr(name[:80])
    try:
        dtype, shape = str(value["dtype"]), tuple(value["shape"])
        first, last = value["data_offsets"]
    except (KeyError, TypeError, ValueError) as exc:
        raise _damaged(path, f"the entry of {shown} is incomplete") from exc
    if not all(type(number) is int for number in (first, last, *shape)):
        raise _damaged(path, f"the entry of {shown} is incomplete")
    if dtype not in NUMPY_TYPES:
        raise CheckpointError(
            f"{path}: {shown} has the type {dtype[:20]!r}, which is not supported: save it as "
            "F32, F16 or BF16"
        )
    if not 0 <= first <= last <= size - start:
        raise _damaged(path, f"{shown} lies outside the file")
    axes_fit = len(shape) <= MAX_AXES and min(shape, default=0) >= 0
    if not axes_fit or last - first != math.prod(shape) * NUMPY_TYPES[dtype].itemsize:
        raise _damaged(path, f"{shown} does not fill its shape {str(list(shape))[:80]}")
    return Entry(dtype, shape, start + first, start + last)


def _damaged(path: Path, why: str) -> CheckpointError:
    return CheckpointError(
        f"{path} is not a complete safetensors file ({why}): download the model again"
    )


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor to write; ``make`` is called once, when the file position reaches it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    make: Callable[[], bytes]

    @property
    def size(self) -> int:
        return math.prod(self.shape) * NUMPY_TYPES[self.dtype].itemsize


def write_safetensors(path: Path, tensors: Iterable[Tensor]) -> int:
    """Write a file, holding one tensor in memory at a time; returns the size of its tensors."""
    tensors = list(tensors)
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for tensor in tensors:
        header[tensor.name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + tensor.size],
        }
        offset += tensor.size
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    with path.open("wb") as file:
        file.write(len(encoded).to_bytes(8, "little") + encoded)
        for tensor in tensors:
            file.write(tensor.make())
    return offset


def to_bytes(values: NDArray[np.float32], dtype: str) -> bytes:
    """Float32 values as bytes of type F64, F32, F16, or BF16 (rounded to nearest even)."""
    if dtype == "BF16":
        bits = np.ascontiguousarray(values).view(np.uint32)
        rounded = bits + 0x7FFF + ((bits >> 16) & 1)
        return (rounded >> 16).astype("<u2").tobytes()
    return values.astype({"F64": "<f8", "F32": "<f4", "F16": "<f2"}[dtype]).tobytes()
