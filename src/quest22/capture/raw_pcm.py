"""Raw samples without a header, of a format that the user names. Knows no containers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quest22.audio.frames import MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ
from quest22.capture.byte_streams import ByteStream
from quest22.errors import UsageError

Piece: TypeAlias = tuple[int, NDArray[Any]]
"""A rate in Hz, and values ``[channels, samples]``: integers of full range, or floats of ±1."""

PIECE_S = 0.1
"""The most that is read at once."""


def _plain(dtype: str) -> Callable[[bytes], NDArray[Any]]:
    return lambda data: np.frombuffer(data, dtype)


def _packed_24_bits(*, big_endian: bool) -> Callable[[bytes], NDArray[Any]]:
    """Values of three bytes, as the upper ones of 32 bits."""

    def read(data: bytes) -> NDArray[Any]:
        parts = np.frombuffer(data, np.uint8).reshape(-1, 3)
        padded = np.zeros((len(parts), 4), np.uint8)
        padded[:, slice(0, 3) if big_endian else slice(1, 4)] = parts
        values: NDArray[Any] = padded.view(">i4" if big_endian else "<i4")[:, 0]
        return values

    return read


def _a_law() -> NDArray[np.int16]:
    """The values of A-law's bytes (ITU-T G.711, table 1a)."""
    code = np.arange(256) ^ 0x55
    exponent, mantissa = (code >> 4) & 7, code & 15
    linear = np.where(exponent == 0, (mantissa << 4) + 8, (mantissa << 4) + 0x108)
    magnitude = linear << np.maximum(exponent - 1, 0)
    values: NDArray[np.int16] = np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)
    return values


def _mu_law() -> NDArray[np.int16]:
    """The values of µ-law's bytes (ITU-T G.711, table 2a)."""
    code = ~np.arange(256) & 0xFF
    exponent, mantissa = (code >> 4) & 7, code & 15
    magnitude = (((mantissa << 3) + 0x84) << exponent) - 0x84
    values: NDArray[np.int16] = np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)
    return values


def _companded(values: Callable[[], NDArray[np.int16]]) -> Callable[[bytes], NDArray[Any]]:
    table = cache(values)
    return lambda data: table()[np.frombuffer(data, np.uint8)]


_READERS: dict[str, tuple[int, Callable[[bytes], NDArray[Any]]]] = {
    "u8": (1, _plain("u1")),
    "s16le": (2, _plain("<i2")),
    "s16be": (2, _plain(">i2")),
    "s24le": (3, _packed_24_bits(big_endian=False)),
    "s24be": (3, _packed_24_bits(big_endian=True)),
    "s32le": (4, _plain("<i4")),
    "s32be": (4, _plain(">i4")),
    "f32le": (4, _plain("<f4")),
    "f32be": (4, _plain(">f4")),
    "f64le": (8, _plain("<f8")),
    "f64be": (8, _plain(">f8")),
    "alaw": (1, _companded(_a_law)),
    "mulaw": (1, _companded(_mu_law)),
}
SAMPLE_FORMATS = tuple(_READERS)
"""FFmpeg's names of raw formats."""


@dataclass(frozen=True, slots=True)
class RawFormat:
    """How raw samples are written: a name of :data:`SAMPLE_FORMATS`, rate in Hz, channels.

    Raises :class:`UsageError` for what cannot be.
    """

    name: str
    rate_hz: int
    channels: int

    def __post_init__(self) -> None:
        if self.name not in _READERS:
            raise UsageError(
                f"format is {self.name!r}: expected raw samples in one of "
                f"{', '.join(SAMPLE_FORMATS)}; containers are recognised without it, and the "
                "format of the text is --output-format"
            )
        if not MIN_RATE_HZ <= self.rate_hz <= MAX_RATE_HZ:
            raise UsageError(
                f"rate is {self.rate_hz}: expected {MIN_RATE_HZ} to {MAX_RATE_HZ} samples a second"
            )
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise UsageError(f"channels is {self.channels}: expected 1 to {MAX_CHANNELS}")

    @property
    def frame_bytes(self) -> int:
        """The bytes of one sample of all channels."""
        return _READERS[self.name][0] * self.channels

    def values(self, data: bytes) -> NDArray[Any]:
        """Whole frames as values, ``[channels, samples]``."""
        return _READERS[self.name][1](data).reshape(-1, self.channels).T


def raw_pieces(stream: ByteStream, raw: RawFormat, size: int | None = None) -> Iterator[Piece]:
    """The samples as they come, up to 0.1 s at once; ``size``: of the next so many bytes."""
    most = max(int(raw.rate_hz * PIECE_S), 1) * raw.frame_bytes
    rest, left = b"", size
    while left is None or left > 0:
        data = stream.read(most if left is None else min(most, left))
        if not data:
            return
        left = None if left is None else left - len(data)
        data = rest + data
        whole = len(data) - len(data) % raw.frame_bytes
        rest = data[whole:]
        if whole:
            yield raw.rate_hz, raw.values(data[:whole])
