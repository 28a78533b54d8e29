"""One safetensors file, memory-mapped: its header checked, its tensors as views.

The format is eight bytes of header length, a JSON header, then the tensors' bytes
(https://huggingface.co/docs/safetensors). The library's numpy face copies every tensor and has no
bfloat16, hence this reader.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quest22.errors import CheckpointError
from quest22.system.mapped_file import map_file, release_pages

HEADER_BYTES = 16 << 20
_MAX_AXES = 8
STORED_AS: MappingProxyType[str, np.dtype[Any]] = MappingProxyType(
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
"""The format's types and what numpy holds them as; bfloat16 and float8 as their bits."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a tensor lies: its type's name, its shape, its bytes counted from the file's start."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class TensorFile:
    """A safetensors file. ``entries`` names its tensors; reading one touches only its pages."""

    def __init__(self, path: Path) -> None:
        """Map a file; raises :class:`CheckpointError` where it is no sound safetensors file."""
        self.path = path
        try:
            self._mapped = map_file(path)
        except (OSError, ValueError) as exc:
            raise CheckpointError(f"{path} cannot be read: {exc}") from exc
        self._bytes: NDArray[np.uint8] = np.frombuffer(self._mapped, np.uint8)
        self.header, start = _header(self._bytes, path)
        self.entries = _entries(self.header, start, len(self._bytes), path)

    def raw(self, name: str) -> NDArray[Any]:
        """A tensor as it is stored, read-only and without a copy."""
        entry = self.entries[name]
        stored = self._bytes[entry.begin : entry.end].view(STORED_AS[entry.dtype])
        return stored.reshape(entry.shape)

    def sample(self, name: str, width: int) -> bytes:
        """``width`` bytes from the beginning, the middle and the end of a tensor."""
        entry = self.entries[name]
        middle = (entry.begin + entry.end - width) // 2
        starts = (entry.begin, max(entry.begin, middle), max(entry.begin, entry.end - width))
        return b"".join(self._bytes[at : min(at + width, entry.end)].tobytes() for at in starts)

    def let_go(self) -> None:
        """Give back the memory of the pages that were read; they are read again when needed."""
        release_pages(self._mapped)


def _header(content: NDArray[np.uint8], path: Path) -> tuple[bytes, int]:
    """The header's bytes and where the tensors' bytes begin."""
    if len(content) < 10:
        raise _damaged(path, f"it holds {len(content)} bytes")
    length = int.from_bytes(content[:8].tobytes(), "little")
    if not 2 <= length <= min(HEADER_BYTES, len(content) - 8):
        raise _damaged(path, f"its header claims {length} bytes")
    return content[8 : 8 + length].tobytes(), 8 + length


def _entries(header: bytes, start: int, size: int, path: Path) -> dict[str, Entry]:
    try:
        table = json.loads(header)
    except (ValueError, RecursionError) as exc:
        raise _damaged(path, "its header is not JSON") from exc
    if not isinstance(table, dict):
        raise _damaged(path, "its header is not a table")
    return {
        name: _entry(name, value, start, size, path)
        for name, value in table.items()
        if name != "__metadata__"
    }


def _entry(name: str, value: Any, start: int, size: int, path: Path) -> Entry:
    try:
        dtype, shape = str(value["dtype"]), tuple(value["shape"])
        begin, end = (start + int(offset) for offset in value["data_offsets"])
        axes_fit = len(shape) <= _MAX_AXES and all(type(n) is int and n >= 0 for n in shape)
    except (KeyError, TypeError, ValueError) as exc:
        raise _damaged(path, f"the entry of {name!r} is incomplete") from exc
    if dtype not in STORED_AS:
        raise CheckpointError(f"{path}: {name!r} has the type {dtype!r}, which is not supported")
    if not start <= begin <= end <= size:
        raise _damaged(path, f"{name!r} lies outside the file")
    if not axes_fit or end - begin != math.prod(shape) * STORED_AS[dtype].itemsize:
        raise _damaged(path, f"{name!r} does not fill its shape {list(shape)}")
    return Entry(dtype, shape, begin, end)


def _damaged(path: Path, why: str) -> CheckpointError:
    return CheckpointError(f"{path} is not a whole safetensors file ({why}): fetch the model again")
