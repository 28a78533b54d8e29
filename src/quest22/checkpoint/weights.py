"""A checkpoint's weights: named float32 arrays over memory-mapped files.

Tensor names are Transformers'. A file format is a :class:`WeightFile`; safetensors is the first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from quest22.checkpoint.files import (
    MAX_TOKENIZER_BYTES,
    WEIGHTS,
    WEIGHTS_INDEX,
    is_there,
    read_json_object,
)
from quest22.checkpoint.formats.safetensors import Entry, SafetensorsFile
from quest22.errors import CheckpointError

NOT_FINITE = "the weights hold values that are not finite: download the model again"
_PREFIX = "model."
_OUTPUT = "proj_out.weight"
_EMBEDDING = "decoder.embed_tokens.weight"
_SAMPLE_BYTES = 4096
_ROWS_AT_ONCE = 4096


class WeightFile(Protocol):
    """A memory-mapped file of tensors, in whatever format; reading a tensor maps only its pages."""

    @property
    def path(self) -> Path: ...

    @property
    def header(self) -> bytes:
        """Bytes that identify the file's layout: names, types and shapes."""
        ...

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Tensor name → its type, shape and position in the file."""
        ...

    def raw(self, name: str) -> NDArray[Any]:
        """A tensor in its stored type, without a copy if possible; bfloat16 as uint16 bits."""
        ...

    def rows(self, name: str, rows: slice | NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Some rows of :meth:`raw`, without reading the others."""
        ...

    def sample(self, name: str, width: int) -> bytes:
        """A few bytes of a tensor, to tell checkpoints apart."""
        ...

    def release(self) -> None:
        """Release the memory of all pages that were read; they are read again when needed."""
        ...


class Weights(Mapping[str, NDArray[np.float32]]):
    """Tensor name → float32 array, read on access.

    Names are Transformers' without the leading ``model.`` (``encoder.conv1.weight``); names with
    the prefix work too. ``proj_out.weight`` is the token embedding if the file has none of its own.
    A float32 tensor is a read-only view of the file; other types become new arrays.
    """

    def __init__(self, files: Mapping[str, WeightFile]) -> None:
        """``files`` maps each tensor's name, as stored, to the file that holds it."""
        self._stored = {_plain(name): (file, name) for name, file in files.items()}
        self._files = tuple({file.path: file for file in files.values()}.values())
        if _EMBEDDING in self._stored:
            self._stored.setdefault(_OUTPUT, self._stored[_EMBEDDING])

    @classmethod
    def open(cls, folder: Path) -> Weights:
        """Map ``model.safetensors``, or else the shards named by its index."""
        if is_there(folder / WEIGHTS):
            file = SafetensorsFile(folder / WEIGHTS)
            return cls(dict.fromkeys(file.entries, file))
        shards = shard_names(folder / WEIGHTS_INDEX)
        opened = {name: SafetensorsFile(folder / name) for name in sorted(set(shards.values()))}
        for tensor, shard in shards.items():
            if tensor not in opened[shard].entries:
                raise CheckpointError(
                    f"{folder / shard} has no {tensor!r}, which {WEIGHTS_INDEX} lists: "
                    "download the model again"
                )
        return cls({tensor: opened[shard] for tensor, shard in shards.items()})

    def joined(self, other: Weights, names: Mapping[str, str]) -> Weights:
        """These tensors and some of another checkpoint's: new name → its name there."""
        both = Weights({})
        both._stored = self._stored | {new: other._find(name) for new, name in names.items()}
        both._files = (*self._files, *other._files)
        return both

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        return _float32(self.raw(name), self.dtype(name), name)

    def rows(self, name: str, rows: slice | NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Some rows of a tensor, without reading the others."""
        file, stored = self._find(name)
        return _float32(file.rows(stored, rows), self.dtype(name), name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and _plain(name) in self._stored

    def stored_name(self, name: str) -> str:
        """The name a tensor is stored under: the embedding's for an output that is tied to it."""
        return self._find(name)[1]

    def dtype(self, name: str) -> str:
        """The stored type by the format's name: ``F32``, ``F16``, ``BF16``, …."""
        file, stored = self._find(name)
        return file.entries[stored].dtype

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape, without reading the tensor."""
        file, stored = self._find(name)
        return file.entries[stored].shape

    def raw(self, name: str) -> NDArray[Any]:
        """The tensor in its stored type: bfloat16 as uint16 bits, float8 as uint8 bits."""
        file, stored = self._find(name)
        return file.raw(stored)

    def fingerprint(self) -> str:
        """A digest that identifies the checkpoint, independent of its folder and dates.

        Cheap: it reads headers, sizes and a sample of each tensor.
        """
        digest = hashlib.sha256()
        for file in self._files:
            digest.update(f"{file.path.name}:{file.path.stat().st_size};".encode())
            digest.update(file.header)
            for name in file.entries:
                digest.update(file.sample(name, _SAMPLE_BYTES))
        return digest.hexdigest()

    def cache_key(self) -> str:
        """A digest of these files' paths, content and dates, for caches on this machine.

        It changes with every change to a file; :meth:`fingerprint` could miss one.
        """
        digest = hashlib.sha256(self.fingerprint().encode())
        for file in self._files:
            status = file.path.stat()
            digest.update(f"{file.path.resolve()}:{status.st_size}:{status.st_mtime_ns};".encode())
        return digest.hexdigest()

    def check_finite(self) -> None:
        """Read all weights; :class:`CheckpointError` if one is infinite or not a number."""
        for name in self:
            for start in range(0, self.shape(name)[0], _ROWS_AT_ONCE):
                if not np.isfinite(self.rows(name, slice(start, start + _ROWS_AT_ONCE))).all():
                    raise CheckpointError(f"{self._files[0].path.parent}: {NOT_FINITE}")
        self.release()

    def release(self) -> None:
        """Release the memory of all pages that were read; they are read again when needed."""
        for file in self._files:
            file.release()

    def _find(self, name: str) -> tuple[WeightFile, str]:
        try:
            return self._stored[_plain(name)]
        except KeyError as exc:
            where = self._files[0].path.parent if self._files else "the checkpoint"
            raise CheckpointError(
                f"{where} has no tensor {name!r}: expected the weights of a complete Whisper model"
            ) from exc


def shard_names(index: Path) -> dict[str, str]:
    """Tensor name → file name, from a sharded checkpoint's index.

    Raises :class:`CheckpointError` if a shard's name leads out of the folder.
    """
    table = read_json_object(index, MAX_TOKENIZER_BYTES).get("weight_map")
    if not isinstance(table, dict) or not table:
        raise CheckpointError(f"{index}: expected an object weight_map: download the model again")
    for shard in table.values():
        named = isinstance(shard, str) and shard.endswith(".safetensors")
        if not named or "/" in shard or "\\" in shard or shard.startswith("."):
            raise CheckpointError(
                f"{index} lists the shard {shard!r}: expected the name of a .safetensors file in "
                "the same folder"
            )
    return dict(table)


def _plain(name: str) -> str:
    return name.removeprefix(_PREFIX)


def _float32(stored: NDArray[Any], dtype: str, name: str) -> NDArray[np.float32]:
    if dtype == "F32" and stored.flags.aligned:
        same: NDArray[np.float32] = stored
        return same
    if dtype in ("F64", "F32", "F16"):
        return stored.astype(np.float32)
    if dtype == "BF16":
        return (stored.astype(np.uint32) << 16).view(np.float32)
    if dtype in _FLOAT8:
        exponent_bits, has_infinity = _FLOAT8[dtype]
        return np.take(_float8_values(exponent_bits, has_infinity), stored)
    raise CheckpointError(
        f"tensor {name!r} is stored as {dtype}, expected floating point: "
        "quantised checkpoints are not supported, give the original"
    )


_FLOAT8 = {"F8_E4M3": (4, False), "F8_E5M2": (5, True)}


def _float8_values(exponent_bits: int, has_infinity: bool) -> NDArray[np.float32]:
    """The value of each of the 256 bit patterns (Micikevicius et al. 2022, table 1)."""
    mantissa_bits = 7 - exponent_bits
    bits = np.arange(256)
    exponent = (bits >> mantissa_bits) & ((1 << exponent_bits) - 1)
    fraction = (bits & ((1 << mantissa_bits) - 1)) / (1 << mantissa_bits)
    bias = (1 << (exponent_bits - 1)) - 1
    size = np.where(
        exponent > 0,
        (1 + fraction) * 2.0 ** (exponent - bias),
        fraction * 2.0 ** (1 - bias),
    )
    if has_infinity:
        top = exponent == (1 << exponent_bits) - 1
        size = np.where(top, np.where(fraction == 0, np.inf, np.nan), size)
    else:
        size = np.where((bits & 0x7F) == 0x7F, np.nan, size)
    return np.where(bits >> 7, -size, size).astype(np.float32)
