"""Recordings that still arrive: which are decoded meanwhile, and which must be whole first.

A file that cannot be sought in yet (``seekable`` is false) is one that still arrives.
"""

from __future__ import annotations

import struct

from quest22.audio.media_reader import MediaReader
from quest22.audio.wav_header import is_wav

FORWARD = (b"OggS", b"fLaC", b"ID3", b"\x1a\x45\xdf\xa3", b".snd", b"#!AMR")
"""First bytes of formats that FFmpeg reads from front to back as well as with all bytes at hand:
Ogg, FLAC, MP3, WebM and Matroska, AU, AMR."""
MOST_BOXES = 32


def wait_until_whole(reader: MediaReader) -> None:
    """Wait until all bytes have come."""
    reader.seek(0, 2)
    reader.read(1)  # the end as it was announced is never before the real one


def reads_forward(head: bytes, reader: MediaReader) -> bool:
    """Whether a recording that begins so can be decoded while it arrives.

    The position in the file is not kept.
    """
    if head.startswith(FORWARD) or is_wav(head):
        return True
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:  # MP3 or AAC without a tag
        return True
    return head[4:8] == b"ftyp" and _index_comes_first(reader)


def _index_comes_first(reader: MediaReader) -> bool:
    """Whether the index of an MP4 file lies before its sound."""
    at = 0
    for _ in range(MOST_BOXES):
        reader.seek(at)
        box = reader.read(16)
        if len(box) < 16 or box[4:8] == b"mdat":
            return False
        if box[4:8] == b"moov":
            return True
        size = struct.unpack_from(">I", box)[0]
        size = struct.unpack_from(">Q", box, 8)[0] if size == 1 else size
        if size < 8 or size > 1 << 40:
            return False
        at += size
    return False
