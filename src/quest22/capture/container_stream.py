"""Encoded sound from a pipe, decoded by FFmpeg (through PyAV) as its bytes come.

FFmpeg is told the format where its signature is known, and to look at a fifth of a second only, so
that it neither probes nor analyses for seconds. If there is no sound in that, it begins again from
the first byte and looks further.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any, cast

from quest22.audio.container import NO_PROTOCOLS, Recording
from quest22.audio.file_signature import describe_bytes
from quest22.audio.frames import frames
from quest22.audio.media_reader import MediaReader
from quest22.audio.packets import Lost
from quest22.audio.pieces import by_channel
from quest22.audio.pyav_guards import limit_allocations, tag_options, use_plain_layout
from quest22.audio.tracks import choose_track
from quest22.capture.byte_streams import ByteStream, PeekedBytes
from quest22.capture.notices import Notify
from quest22.capture.ogg_stream import LinkBytes
from quest22.capture.raw_pcm import Piece
from quest22.errors import ClipError
from quest22.metrics import Metrics
from quest22.records import Clip, Origin

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

BUFFER_BYTES = 4096
HEAD_BYTES = 400
ANALYSED_S = (0.2, 5.0, 30.0)
MAX_HEAD_BYTES = 8 << 20
"""What is kept of a stream to begin again; a picture of good quality fills it in 10 s or more."""

TS_PACKET = 188
_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"OggS", "ogg"),
    (0, b"fLaC", "flac"),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (4, b"ftyp", "mov"),
    (4, b"styp", "mov"),
    (4, b"moof", "mov"),
    (0, b"FLV", "flv"),
    (0, b".snd", "au"),
    (0, b"caff", "caf"),
)


def container_pieces(
    stream: PeekedBytes, name: str, track: str | None, notify: Notify
) -> Iterator[Piece]:
    """The sound of the recording that begins here, frame by frame.

    Raises :class:`ClipError` if there is none.
    """
    head = stream.peek(HEAD_BYTES)
    form = format_of(head)
    bytes_: ByteStream = LinkBytes(stream) if form == "ogg" else stream
    clip = Clip(name, name, b"", Origin(name))
    reader, container, chosen = _opened(bytes_, form, clip, track, head)
    with container:
        use_plain_layout(chosen.codec_context)
        chosen.codec_context.thread_count = 1
        recording = Recording(container, chosen, reader, None)
        with closing(frames(recording, Metrics())) as found:  # type: ignore[type-var]
            for frame in found:
                if isinstance(frame, Lost):
                    notify(f"{name}: part of the sound is lost: {frame.reason}")
                else:
                    yield frame.layout.rate_hz, by_channel([frame.values], frame.layout)


def format_of(head: bytes) -> str | None:
    """FFmpeg's name of the format of a stream that begins so; None: it has to probe."""
    for at, signature, name in _SIGNATURES:
        if head[at : at + len(signature)] == signature:
            return name
    if len(head) > TS_PACKET and head[0] == head[TS_PACKET] == 0x47:
        return "mpegts"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "aac"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2:  # layer III
        return "mp3"
    return None


def _opened(
    stream: ByteStream, form: str | None, clip: Clip, track: str | None, head: bytes
) -> tuple[MediaReader, InputContainer, AudioStream]:
    import av

    limit_allocations()
    kept = _RepeatedBytes(stream)
    for seconds in ANALYSED_S:
        reader = MediaReader(cast("Any", kept))
        try:
            container: InputContainer = av.open(
                cast("Any", reader),
                mode="r",
                format=form,
                container_options={
                    **NO_PROTOCOLS,
                    "analyzeduration": str(int(seconds * 1e6)),
                    "probesize": str(MAX_HEAD_BYTES),
                },
                buffer_size=BUFFER_BYTES,
                **tag_options(),
            )
        except (av.error.FFmpegError, ValueError) as exc:
            reader.check()
            raise ClipError("audio", _unknown(head)) from exc
        chosen = choose_track(container, track, clip, Metrics())
        if chosen is not None and chosen.codec_context is not None:
            kept.forget()
            return reader, container, chosen
        container.close()
        reader.check()
        if not kept.repeat():
            break
    raise ClipError("audio", "it holds no sound that can be decoded")


def _unknown(head: bytes) -> str:
    if not head:
        return "nothing came"
    seems = describe_bytes(head)
    raw = (
        "; raw samples have no header: name them with --format s16le --rate 16000 --channels 1"
        if seems.startswith("it begins with")
        else ""
    )
    return f"it cannot be read as sound: {seems}{raw}"


class _RepeatedBytes:
    """A stream as a file that FFmpeg cannot seek in, though it may begin again."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._kept: bytearray | None = bytearray()
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        kept = self._kept
        if kept is not None and self._at < len(kept):
            data = bytes(kept[self._at : self._at + size])
        else:
            data = self._stream.read(size)
            if kept is not None:
                kept += data
        self._at += len(data)
        if kept is not None and len(kept) > MAX_HEAD_BYTES:
            self._kept = None
        return data

    def repeat(self) -> bool:
        """Begin again; False if too much has passed."""
        self._at = 0
        return self._kept is not None

    def forget(self) -> None:
        """Keep nothing more; what is kept is read first."""
        if self._kept is not None and self._at >= len(self._kept):
            self._kept = None

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        """The stream is its owner's to close."""
