"""Streams of packets without a container, such as MP3, AAC (ADTS) and AC-3 files.

They have no timestamps: FFmpeg counts packets, and takes what it does not understand for part of
one. How long lost sound was is estimated from its bytes here, and tags between joined files are
recognised, which are no sound. Decodes nothing.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av.packet import Packet

RAW_STREAMS = frozenset(
    [
        "aac",
        "ac3",
        "amr",
        "amrnb",
        "amrwb",
        "dts",
        "eac3",
        "g722",
        "gsm",
        "latm",
        "loas",
        "mlp",
        "mp3",
        "sbc",
        "truehd",
    ]
)
"""FFmpeg's names of these formats."""

MOST_LOST_S = 600.0


class RawStream:
    """The packets of one stream; ``is_raw``: else nothing is known here."""

    def __init__(self, container_format: str) -> None:
        self.is_raw = container_format in RAW_STREAMS
        self._bytes = 0
        self._seconds = 0.0
        self._tag_end = 0

    def is_tag(self, packet: Packet[Any]) -> bool:
        """Whether a packet is part of a tag."""
        if not self.is_raw or packet.pos is None:
            return False
        if packet.pos >= self._tag_end:
            self._tag_end = packet.pos + _tag_bytes(bytes(memoryview(packet)[:32]))
        return packet.pos < self._tag_end

    def count(self, packet: Packet[Any], seconds: float) -> None:
        """A packet was decoded to so many seconds of sound."""
        self._bytes += packet.size
        self._seconds += seconds

    def lost_s(self, packet: Packet[Any], stated_s: float) -> float:
        """How much sound a packet held that cannot be decoded."""
        if not self.is_raw or not self._bytes:
            return stated_s
        by_bytes_s = packet.size * self._seconds / self._bytes
        return min(max(stated_s, by_bytes_s), MOST_LOST_S)


def _tag_bytes(data: bytes) -> int:
    """The size of the tag that begins here: ID3v2 (section 3.1), ID3v1, APE; 0 if none does."""
    if data[:3] == b"ID3" and len(data) >= 10 and max(data[6:10]) < 0x80:
        size = 0
        for byte in data[6:10]:  # seven bits each
            size = size << 7 | byte
        return 10 + size
    if data[:8] == b"APETAGEX" and len(data) >= 16:
        return 32 + int(struct.unpack_from("<I", data, 12)[0])
    return 128 if data[:3] == b"TAG" else 0
