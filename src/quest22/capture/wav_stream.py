"""WAV files from a pipe: the header, then samples as they come.

FFmpeg reads on for seconds before it gives the first sample of a slow pipe. Sizes in the header of
a file that has not ended yet mean nothing: see :mod:`quest22.audio.wav_header`.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

from quest22.audio.wav_header import FAMILIES, WavHeader, is_wav, read_wav_header
from quest22.capture.byte_streams import PeekedBytes
from quest22.capture.raw_pcm import SAMPLE_FORMATS, Piece, RawFormat, raw_pieces
from quest22.errors import UsageError

MAX_HEADER_BYTES = 1 << 20
"""Chunks before the sound, such as names and pictures."""
MAX_CHUNK_BYTES = 1 << 24


def read_header(stream: PeekedBytes) -> tuple[WavHeader, RawFormat] | None:
    """The header and its samples' format, and leave the stream behind it.

    None if the samples are not raw ones, or the header is damaged: the stream is as it was.
    """
    head = _up_to_sound(stream)
    wav = read_wav_header(io.BytesIO(head))
    raw = None if wav is None else _raw_format(wav)
    if wav is None or raw is None:
        stream.give_back(head)
        return None
    return wav, raw


def wav_pieces(stream: PeekedBytes, wav: WavHeader, raw: RawFormat) -> Iterator[Piece]:
    """The sound behind a header; then leave the stream at its end, or where the next one begins."""
    yield from raw_pieces(stream, raw, wav.size)
    if wav.size is None:
        return
    if wav.size % 2 and not is_wav(stream.peek(12)):
        stream.read_exactly(1)
    while (head := stream.peek(12)) and not is_wav(head):
        size = _chunk_size(head)
        if size is None or len(stream.read_exactly(8 + size)) < 8 + size:
            return


def _raw_format(wav: WavHeader) -> RawFormat | None:
    name, _ = wav.samples or ("", {})
    if name not in SAMPLE_FORMATS:
        return None
    try:
        return RawFormat(name, wav.rate_hz, wav.channels)
    except UsageError:  # what no sound has: the header is damaged
        return None


def _up_to_sound(stream: PeekedBytes) -> bytes:
    """Read up to the first sample; less if the stream ends or no sound begins."""
    head = stream.read_exactly(12)
    byte_order = FAMILIES.get(head[:4], "<")
    while len(head) < MAX_HEADER_BYTES:
        chunk = stream.read_exactly(8)
        head += chunk
        if len(chunk) < 8 or chunk[:4] == b"data":
            break
        size = struct.unpack(f"{byte_order}4xI", chunk)[0]
        if size > MAX_HEADER_BYTES:
            break
        head += stream.read_exactly(size + size % 2)
    return head


def _chunk_size(head: bytes) -> int | None:
    """The padded size of a chunk that follows the sound; None if it is none."""
    if len(head) < 8 or not head[:4].isascii():
        return None
    size = int(struct.unpack("<4xI", head[:8])[0])
    return size + size % 2 if size <= MAX_CHUNK_BYTES else None
