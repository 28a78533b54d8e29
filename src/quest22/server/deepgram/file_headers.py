"""File headers for audio that comes without one, so that it can be read like any file."""

from __future__ import annotations

import struct

from quest22.audio.wav_header import is_wav
from quest22.capture.raw_pcm import RawFormat
from quest22.server.deepgram.parameters import AudioFormat

UNKNOWN = 0xFFFF_FFFF
"""The length that WAV writers use for streams."""

AMR_HEADERS = {"amr-nb": b"#!AMR\n", "amr-wb": b"#!AMR-WB\n"}
"""The magic numbers of AMR files (RFC 4867, section 5)."""

FORMATS = {"s16le": (1, 16), "f32le": (3, 32), "alaw": (6, 8), "mulaw": (7, 8)}
"""FFmpeg's name → WAV's format tag, and bits per sample."""


def missing_header(audio_format: AudioFormat, first: bytes, size: int | None = None) -> bytes:
    """The header to put before audio that begins with ``first``; empty if it has one.

    ``size`` is the size of the audio in bytes, if known.
    """
    if audio_format.raw is not None:
        return b"" if is_wav(first) else wav_header(audio_format.raw, size)
    magic = AMR_HEADERS.get(audio_format.encoding or "", b"")
    return b"" if first.startswith(magic[:5]) else magic


def wav_header(raw: RawFormat, size: int | None = None) -> bytes:
    """The header of a WAV file with samples in this format."""
    tag, bits = FORMATS[raw.name]
    frame = raw.frame_bytes
    layout = (tag, raw.channels, raw.rate_hz, raw.rate_hz * frame, frame, bits)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, *layout)
    length = UNKNOWN if size is None else min(size, UNKNOWN)
    whole = min(length + 4 + len(form) + 8, UNKNOWN)
    return (
        struct.pack("<4sI4s", b"RIFF", whole, b"WAVE") + form + struct.pack("<4sI", b"data", length)
    )
