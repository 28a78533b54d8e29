"""How much sound a file's header promises, to notice that it breaks off. Knows headers only.

Only formats whose headers state it exactly are asked; for the others FFmpeg's figure is a guess.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.audio.stream import AudioStream

EXACT = {"flac", "aiff", "au"}
NEARLY_EXACT = {"mov,mp4,m4a,3gp,3g2,mj2"}
UNKNOWN_SIZE = 0x7F000000


def promised_s(form: str, stream: AudioStream, head: bytes) -> float | None:
    """Seconds of sound that must at least come; None where the header does not say.

    ``form`` is FFmpeg's name of the container, ``head`` the file's first bytes.
    """
    if form == "wav":
        return _wav_promise_s(head)
    if not stream.duration or not stream.time_base:
        return None
    stated = float(stream.duration * stream.time_base)
    if form in EXACT:
        return stated
    # The encoder's delay and padding, which are cut off, are part of what is stated.
    return stated * 0.98 - 1.0 if form in NEARLY_EXACT else None


def _wav_promise_s(head: bytes) -> float | None:
    """From the ``fmt`` and ``data`` chunks; writers that stream leave the size 0 or huge."""
    at = 12
    bytes_a_second = 0
    while head[:4] == b"RIFF" and at + 8 <= len(head):
        name, size = struct.unpack_from("<4sI", head, at)
        if name == b"fmt " and at + 20 <= len(head):
            bytes_a_second = struct.unpack_from("<I", head, at + 16)[0]
        if name == b"data":
            known = bytes_a_second and 0 < size < UNKNOWN_SIZE
            return size / bytes_a_second if known else None
        at += 8 + size + size % 2
    return None
