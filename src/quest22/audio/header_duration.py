"""The duration that a file's header states, to detect truncated files.

Only for formats whose header states it exactly; for others FFmpeg's duration is an estimate.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.audio.stream import AudioStream

EXACT_FORMATS = {"flac", "aiff", "au"}
NEARLY_EXACT_FORMATS = {"mov,mp4,m4a,3gp,3g2,mj2"}
UNKNOWN_SIZE_FROM = 0x7F000000


def header_duration_s(container_format: str, stream: AudioStream, head: bytes) -> float | None:
    """The least duration in seconds that the header states; None if it states none.

    ``container_format`` is FFmpeg's name of the container, ``head`` the file's first bytes.
    """
    if container_format == "wav":
        return _wav_duration_s(head)
    if not stream.duration or not stream.time_base:
        return None
    stated = float(stream.duration * stream.time_base)
    if container_format in EXACT_FORMATS:
        return stated
    # The stated duration includes the encoder's delay and padding, which are cut off.
    return stated * 0.98 - 1.0 if container_format in NEARLY_EXACT_FORMATS else None


def _wav_duration_s(head: bytes) -> float | None:
    """From the ``fmt`` and ``data`` chunks; streaming writers leave the size 0 or huge."""
    offset = 12
    bytes_a_second = 0
    while head[:4] == b"RIFF" and offset + 8 <= len(head):
        name, size = struct.unpack_from("<4sI", head, offset)
        if name == b"fmt " and offset + 20 <= len(head):
            bytes_a_second = struct.unpack_from("<I", head, offset + 16)[0]
        if name == b"data":
            is_known = bytes_a_second and 0 < size < UNKNOWN_SIZE_FROM
            return size / bytes_a_second if is_known else None
        offset += 8 + size + size % 2
    return None
