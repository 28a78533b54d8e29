"""Any stream of bytes as sound: raw samples if the user says so, else a container."""

from __future__ import annotations

from collections.abc import Iterator

from quest22.audio.wav_header import is_wav
from quest22.capture.byte_streams import ByteStream, PeekedBytes
from quest22.capture.container_stream import container_pieces
from quest22.capture.notices import Notify
from quest22.capture.raw_pcm import Piece, RawFormat, raw_pieces
from quest22.capture.wav_stream import read_header, wav_pieces
from quest22.errors import ClipError

WAV_HEAD_BYTES = 12


def decoded(
    stream: ByteStream,
    raw: RawFormat | None,
    name: str,
    notify: Notify,
    track: str | None = None,
) -> Iterator[Piece]:
    """The sound of a stream as it comes; of several recordings one after another, all.

    Raises :class:`ClipError` if nothing in it can be read as sound.
    """
    if raw is not None:
        yield from raw_pieces(stream, raw)
        return
    peeked = PeekedBytes(stream)
    heard = False
    while not heard or peeked.peek(1):
        begun = peeked.count
        try:
            for piece in _recording(peeked, name, notify, track):
                heard = True
                yield piece
        except ClipError as exc:
            if not heard or exc.stage != "audio":
                raise
            notify(f"{name}: what follows is left out: {exc.reason}")
            return
        if peeked.count == begun or not heard:
            break
    if not heard:
        raise ClipError("audio", "it held no sound that can be decoded")


def _recording(
    stream: PeekedBytes, name: str, notify: Notify, track: str | None
) -> Iterator[Piece]:
    """The next recording of a stream."""
    if is_wav(stream.peek(WAV_HEAD_BYTES)):
        header = read_header(stream)
        if header is not None:
            return wav_pieces(stream, *header)
    return container_pieces(stream, name, track, notify)
