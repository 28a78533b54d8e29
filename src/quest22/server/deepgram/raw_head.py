"""What is put before sound without a container, so that it can be read like any other."""

from __future__ import annotations

import struct

from quest22.audio.wav_header import is_wav
from quest22.capture.raw_pcm import RawFormat
from quest22.server.deepgram.parameters import SoundFormat

UNKNOWN = 0xFFFF_FFFF
"""The length of sound that is still coming, as recorders write it that do not know it."""

AMR_HEADS = {"amr-nb": b"#!AMR\n", "amr-wb": b"#!AMR-WB\n"}
"""What a file of these frames begins with (RFC 4867, section 5); without it they are not known."""

FORMATS = {"s16le": (1, 16), "f32le": (3, 32), "alaw": (6, 8), "mulaw": (7, 8)}
"""FFmpeg's name → WAV's format tag, and bits a sample."""


def head_of(sound: SoundFormat, first: bytes, size: int | None = None) -> bytes:
    """What goes before sound that begins so; empty where it has a container.

    ``size`` is how many bytes the sound has, if that is known.
    """
    if sound.raw is not None:
        return b"" if is_wav(first) else wav_head(sound.raw, size)
    magic = AMR_HEADS.get(sound.encoding or "", b"")
    return b"" if first.startswith(magic[:5]) else magic


def wav_head(raw: RawFormat, size: int | None = None) -> bytes:
    """The header of a WAV file with such samples."""
    tag, bits = FORMATS[raw.name]
    frame = raw.frame_bytes
    layout = (tag, raw.channels, raw.rate_hz, raw.rate_hz * frame, frame, bits)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, *layout)
    length = UNKNOWN if size is None else min(size, UNKNOWN)
    whole = min(length + 4 + len(form) + 8, UNKNOWN)
    return (
        struct.pack("<4sI4s", b"RIFF", whole, b"WAVE") + form + struct.pack("<4sI", b"data", length)
    )
