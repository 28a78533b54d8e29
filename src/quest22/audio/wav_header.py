"""Reads the header of a WAV file: which sound it announces, and where that begins.

FFmpeg opens WAV files itself. The header says how long the sound should be, so that truncated files
are noticed, and finds the files that FFmpeg takes for something else: their samples are read as raw
PCM (:attr:`WavHeader.raw_pcm`). Sizes are not believed: a file is never longer than it is.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Protocol

UNKNOWN_SIZE_FROM = 2_000_000_000
"""Recorders that stream write 0, 2,000,000,000, 0x7FFFFFFF or 0xFFFFFFFF as the size of a sound
that has not ended yet."""

MAX_CHUNKS = 64
"""Chunks before the sound that are looked at."""

_SIZE_IS_IN_DS64 = 0xFFFFFFFF
_PCM, _FLOAT, _ALAW, _MULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
FAMILIES = {b"RIFF": "<", b"RF64": "<", b"BW64": "<", b"RIFX": ">"}
"""The first bytes of a WAV file, and the byte order that they mean."""


class SeekableFile(Protocol):
    """Bytes at any place."""

    def read(self, size: int = -1) -> bytes: ...
    def seek(self, offset: int, whence: int = 0) -> int: ...


@dataclass(frozen=True, slots=True)
class WavHeader:
    """What a WAV file says of its sound; sizes in bytes.

    ``size`` is that of the sound by the header; None if it does not say. ``available`` is what the
    file holds from ``offset`` on. ``bits`` are a sample's in memory, of which ``valid_bits`` are
    used.
    """

    byte_order: str
    is_64_bit: bool
    format_tag: int
    channels: int
    rate_hz: int
    bytes_a_second: int
    block: int
    valid_bits: int
    offset: int
    size: int | None
    available: int

    @property
    def stated_duration_s(self) -> float | None:
        """The duration by the header; None if it states none that can be."""
        rate = self.bytes_a_second
        return None if self.size is None or not rate else self.size / rate

    @property
    def bits(self) -> int:
        return 8 * self.block // self.channels if self.channels else 0

    @property
    def raw_pcm(self) -> tuple[str, dict[str, str]] | None:
        """FFmpeg's raw format and its options, for samples that it would misread in a WAV file.

        Those are big-endian samples (RIFX), samples wider than their valid bits, and 64-bit headers
        that were never completed. None: FFmpeg reads the file.
        """
        is_big, is_wide = self.byte_order == ">", self.valid_bits not in (0, self.bits)
        is_open = self.is_64_bit and self.size is None
        return self.samples if is_big or is_open or (is_wide and self.bits == 32) else None

    @property
    def samples(self) -> tuple[str, dict[str, str]] | None:
        """FFmpeg's raw format and its options, with which the sound is read without the header."""
        name = _raw_format(self.format_tag, self.bits, self.byte_order)
        if name is None or not self.rate_hz:
            return None
        return name, {"sample_rate": str(self.rate_hz), "ch_layout": f"{self.channels}C"}


def _raw_format(tag: int, bits: int, byte_order: str) -> str | None:
    """FFmpeg's name of raw samples; None if there is none."""
    end = "be" if byte_order == ">" else "le"
    names = {
        (_PCM, 8): "u8",
        **{(_PCM, width): f"s{width}{end}" for width in (16, 24, 32)},
        **{(_FLOAT, width): f"f{width}{end}" for width in (32, 64)},
        (_ALAW, 8): "alaw",
        (_MULAW, 8): "mulaw",
    }
    return names.get((tag, bits))


def is_wav(head: bytes) -> bool:
    """Whether what begins with these bytes, at least 12, is a WAV file."""
    return head[:4] in FAMILIES and head[8:12] == b"WAVE"


def read_wav_header(file: SeekableFile) -> WavHeader | None:
    """The header of a WAV file, from its start; None for other files and damaged headers.

    Reads a few bytes a chunk. The position in the file is not kept.
    """
    file.seek(0)
    head = file.read(12)
    byte_order = FAMILIES.get(head[:4])
    if byte_order is None or head[8:12] != b"WAVE":
        return None
    fmt, size_64 = b"", 0
    at = 12
    for _ in range(MAX_CHUNKS):
        file.seek(at)
        chunk = file.read(8)
        if len(chunk) < 8:
            return None
        name, size = struct.unpack(f"{byte_order}4sI", chunk)
        if name == b"data":
            size = size_64 if size == _SIZE_IS_IN_DS64 else size
            return _header(file, head[:4], fmt, at + 8, size)
        if name == b"fmt ":
            fmt = file.read(min(size, 40))
        if name == b"ds64":
            size_64 = _data_size(file.read(16))
        at += 8 + size + size % 2
    return None


def following_wav(file: SeekableFile, wav: WavHeader) -> int | None:
    """Where another WAV file begins behind this one, as ``cat a.wav b.wav`` writes it."""
    if wav.size is None or wav.size >= wav.available:
        return None
    end = wav.offset + wav.size
    for at in (end + end % 2, end):  # not all writers fill up to an even number
        file.seek(at)
        head = file.read(12)
        if is_wav(head):
            return at
    return None


def _data_size(ds64: bytes) -> int:
    """The size of the sound in the first 16 bytes of a ``ds64`` chunk; 0: unknown."""
    return int(struct.unpack_from("<Q", ds64, 8)[0]) if len(ds64) == 16 else 0


def _header(
    file: SeekableFile, family: bytes, fmt: bytes, offset: int, size: int
) -> WavHeader | None:
    if len(fmt) < 16:
        return None
    byte_order = FAMILIES[family]
    tag, channels, rate, bytes_a_second, block, bits = struct.unpack_from(
        f"{byte_order}HHIIHH", fmt
    )
    if tag == _EXTENSIBLE and len(fmt) >= 26:
        bits = struct.unpack_from(f"{byte_order}H", fmt, 18)[0]
        tag = struct.unpack_from("<H", fmt, 24)[0] or struct.unpack_from(">H", fmt, 26)[0]
    available = max(file.seek(0, 2) - offset, 0)
    is_unknown = size == 0 or (size >= UNKNOWN_SIZE_FROM and size > available)
    return WavHeader(
        byte_order=byte_order,
        is_64_bit=family in (b"RF64", b"BW64"),
        format_tag=tag,
        channels=channels,
        rate_hz=rate,
        bytes_a_second=bytes_a_second,
        block=block,
        valid_bits=bits,
        offset=offset,
        size=None if is_unknown else size,
        available=available,
    )


class SoundBytes:
    """The bytes of a WAV file's sound, as a file of its own."""

    def __init__(self, file: SeekableFile, wav: WavHeader) -> None:
        self._file = file
        self._offset = wav.offset
        self._size = wav.available if wav.size is None else min(wav.size, wav.available)
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        left = self._size - self._at
        self._file.seek(self._offset + self._at)
        data = self._file.read(left if size < 0 else min(size, left))
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = min(max(offset + (0, self._at, self._size)[whence], 0), self._size)
        return self._at

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return True
