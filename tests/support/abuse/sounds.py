"""Sounds that are small as files and without end as samples."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator

from tests.support.abuse import wire
from tests.support.server_process import ServerProcess

OPUS_RATE_HZ = 48_000
PACKET = bytes([0b00011_0_01])
"""Silence of 120 ms in a byte: SILK, two frames of 60 ms (RFC 6716, section 3.1), both empty."""

PACKET_SAMPLES = 120 * OPUS_RATE_HZ // 1000
PAGE_PACKETS = 255
SERIAL = 22


def opus_silence(size: int) -> tuple[bytes, float]:
    """An Ogg Opus file of about this size, and how many hours it lasts: 16 a megabyte."""
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 0, OPUS_RATE_HZ, 0, 0)
    tags = b"OpusTags" + struct.pack("<I", 4) + b"bomb" + struct.pack("<I", 0)
    pages = max(1, size // len(_page(0, 0, [PACKET] * PAGE_PACKETS, 0)))
    file = b"".join((_page(0, 0, [head], 2), _page(1, 0, [tags], 0), *_silence(pages)))
    return file, pages * PAGE_PACKETS * PACKET_SAMPLES / OPUS_RATE_HZ / 3600


def _silence(pages: int) -> Iterator[bytes]:
    """Pages that differ in position, number and checksum alone."""
    for number in range(pages):
        granule = (number + 1) * PAGE_PACKETS * PACKET_SAMPLES
        last = 4 * (number == pages - 1)
        yield _page(number + 2, granule, [PACKET] * PAGE_PACKETS, last)


def _page(number: int, granule: int, packets: list[bytes], kind: int) -> bytes:
    """A page of Ogg (RFC 3533, section 6) of packets that are shorter than 255 bytes."""
    lacing = bytes(map(len, packets))
    start = b"OggS" + struct.pack("<BBqIII", 0, kind, granule, SERIAL, number, 0)
    page = bytearray(start + bytes([len(packets)]) + lacing + b"".join(packets))
    page[22:26] = struct.pack("<I", _checksum(page))
    return bytes(page)


def _checksum(page: bytearray) -> int:
    """Ogg's CRC-32 is zlib's of the mirrored bits, begun with zero, not inverted."""
    mirrored = bytes(page).translate(MIRRORED)
    inverted = zlib.crc32(mirrored, 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{inverted:032b}"[::-1], 2)


MIRRORED = bytes(int(f"{each:08b}"[::-1], 2) for each in range(256))


def opus_bomb(server: ServerProcess, chance: random.Random, size: int = 1_000_000) -> None:
    """A small file that lasts for hours: refused by its length, not by its size."""
    del chance
    file, hours = opus_silence(size)
    assert hours > 4
    answer = wire.answer_to(server, wire.upload(file, "a.opus"), 300)
    assert answer.status in (400, 413), answer
    assert answer.json()["error"]["message"]


def _wav(channels: int, rate_hz: int, block_bytes: int, bits: int, size: int) -> bytes:
    start = struct.pack("<4sI4s4sI", b"RIFF", (size + 36) & 0xFFFFFFFF, b"WAVE", b"fmt ", 16)
    described = struct.pack("<HHIIHH", 1, channels, rate_hz, 0, block_bytes, bits)
    return start + described + struct.pack("<4sI", b"data", size)


WAV_HEADS = {
    "as long as can be said": _wav(1, 8000, 1, 8, 0xFFFFFFFF),
    "of 65,535 channels": _wav(65_535, 8000, 65_535, 8, 1000),
    "of no channels": _wav(0, 8000, 1, 8, 1000),
    "of no rate": _wav(1, 0, 1, 8, 1000),
    "of four billion a second": _wav(1, 0xFFFFFFFF, 1, 8, 1000),
    "of one a second": _wav(1, 1, 1, 8, 1000),
    "of frames of no bytes": _wav(1, 8000, 0, 0, 1000),
    "of samples of 65,535 bits": _wav(1, 8000, 8192, 65_535, 1000),
}


def wav_heads(server: ServerProcess, chance: random.Random) -> None:
    """Headers that promise what no sound can be."""
    for name, start in WAV_HEADS.items():
        answer = wire.answer_to(server, wire.upload(start + chance.randbytes(1000)))
        assert answer.status == 200 or answer.refused, (name, answer)
