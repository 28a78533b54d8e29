"""Opens encoded media as a container with one audio stream chosen.

Translates FFmpeg's errors. The duration that a header states is read too, to detect truncated
files. Knows nothing of samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from quest22.audio.arriving import reads_forward, wait_until_whole
from quest22.audio.file_signature import describe_bytes
from quest22.audio.media_reader import MediaReader, open_reader, source_errors
from quest22.audio.ogg_links import CAPTURE, LinkFile
from quest22.audio.pyav_guards import limit_allocations, tag_options, use_plain_layout
from quest22.audio.wav_header import SoundBytes, WavHeader, following_wav, read_wav_header
from quest22.errors import ClipError
from quest22.metrics import Metrics
from quest22.records import Clip

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

READ_BYTES = 32 * 1024
"""As FFmpeg reads files: with more, it finds nothing in FLAC files that begin with a hole."""
HEAD_BYTES = 4096

RAW_FORMATS: dict[str, tuple[str, dict[str, str]]] = {
    ".al": ("alaw", {"sample_rate": "8000"}),
    ".alaw": ("alaw", {"sample_rate": "8000"}),
    ".pcma": ("alaw", {"sample_rate": "8000"}),
    ".ul": ("mulaw", {"sample_rate": "8000"}),
    ".ulaw": ("mulaw", {"sample_rate": "8000"}),
    ".mulaw": ("mulaw", {"sample_rate": "8000"}),
    ".pcmu": ("mulaw", {"sample_rate": "8000"}),
    ".g722": ("g722", {}),
    ".gsm": ("gsm", {}),
}
"""Formats without a header, by suffix: FFmpeg's name and options. Telephony is 8 kHz."""

EXACT_FORMATS = {"flac", "aiff", "au", "caf", "w64", "wv", "tta", "ape"}
NEARLY_EXACT_FORMATS = {"mov,mp4,m4a,3gp,3g2,mj2"}
"""Formats whose header states the duration; for others FFmpeg's duration is an estimate."""

LEAST_BYTES_A_SECOND = 250
"""What a file must hold of the duration that its header states: a third of the thriftiest codec's
bytes, so that truncated files are still noticed."""

LATE_STREAMS = {"flv", "live_flv", "mpegts", "mpeg"}
SEARCH_FAR = {"probesize": str(64 << 20), "analyzeduration": str(3600 * 10**6)}
"""How far sound is searched for in formats that do not announce it: 64 MiB, an hour."""

# A playlist inside a file must never make FFmpeg open other files or addresses.
NO_PROTOCOLS = {"protocol_whitelist": ""}


ChooseTrack: TypeAlias = "Callable[[InputContainer], AudioStream | None]"


@dataclass(slots=True)
class Recording:
    """An open container with its chosen audio stream.

    ``header_duration_s``: the least duration that the header states; None if it states none.
    ``wav`` is the header of a WAV file, ``link`` the part of an Ogg file that holds this recording.
    """

    container: InputContainer
    stream: AudioStream
    reader: MediaReader
    header_duration_s: float | None
    wav: WavHeader | None = None
    link: LinkFile | None = None

    @property
    def held_duration_s(self) -> float | None:
        """The duration by the header, though no more than a WAV file has bytes for."""
        stated_s, wav = self.header_duration_s, self.wav
        if stated_s is None or wav is None:
            return stated_s
        return min(stated_s, wav.available / wav.bytes_a_second)

    @property
    def next_link(self) -> int | None:
        """Where another recording begins in the file; known when this one has been read."""
        if self.wav is not None:
            end = following_wav(self.reader, self.wav)
        else:
            end = None if self.link is None else self.link.end
        return None if end is None else self.reader.base + end

    @property
    def start_s(self) -> float | None:
        """When the media begin by the container's clock; None if it does not say."""
        import av

        start = self.container.start_time
        return None if start is None else start / av.time_base

    @property
    def duration_s(self) -> float | None:
        """How long the media are by the container, or as FFmpeg estimates it."""
        import av

        return self.container.duration / av.time_base if self.container.duration else None

    @property
    def has_picture(self) -> bool:
        """Whether there is a moving picture, whose clock the sound follows."""
        from av.stream import Disposition

        return any(
            stream.type == "video" and not stream.disposition & Disposition.attached_pic
            for stream in self.container.streams
        )


@contextmanager
def open_media(clip: Clip, metrics: Metrics) -> Iterator[MediaReader]:
    """The clip's bytes, closed on leaving; what came over a network is counted."""
    with closing(open_reader(clip)) as reader:
        try:
            with source_errors(reader):
                yield reader
        finally:
            if callable(clip.media):
                metrics.add_seconds("source", reader.seconds)
                metrics.count("bytes", reader.bytes)


@contextmanager
def open_recording(reader: MediaReader, clip: Clip, choose: ChooseTrack) -> Iterator[Recording]:
    """The container at the reader's ``base`` with one audio stream chosen, closed on leaving.

    Raises ClipError: stage ``source`` if bytes cannot be read, else ``audio`` with what the file
    seems to be.
    """
    with source_errors(reader):
        reader.seek(0)
        head = reader.read(HEAD_BYTES)
        if not head:
            raise ClipError("audio", "the file is empty (0 bytes)")
        if not reader.seekable() and not reads_forward(head, reader):
            wait_until_whole(reader)
        wav = read_wav_header(reader)
        reader.seek(0)
        link = LinkFile(reader) if head.startswith(CAPTURE) else None
        reader.seek(0)
        container = _open_container(link or reader, head, _suffix(clip), wav)
        if not container.streams.audio and container.format.name in LATE_STREAMS:
            container.close()
            reader.seek(0)
            container = _open_container(reader, head, _suffix(clip), wav, SEARCH_FAR)
        with container:
            stream = _open_stream(container, choose(container), head)
            use_plain_layout(stream.codec_context)
            duration_s = header_duration_s(container.format.name, stream, wav)
            if wav is None and duration_s is not None and not _is_held(duration_s, reader):
                duration_s = None
            yield Recording(container, stream, reader, duration_s, wav, link)


def _is_held(duration_s: float, reader: MediaReader) -> bool:
    """Whether the file is large enough for so much sound; else its header is damaged, or lies."""
    return reader.size() >= duration_s * LEAST_BYTES_A_SECOND


def _suffix(clip: Clip) -> str:
    path = clip.media if isinstance(clip.media, Path) else PurePath(clip.name)
    return path.suffix.lower()


def _open_container(
    file: MediaReader | LinkFile | SoundBytes,
    head: bytes,
    suffix: str,
    wav: WavHeader | None,
    more_options: Mapping[str, str] = MappingProxyType({}),
) -> InputContainer:
    limit_allocations()
    form, options = RAW_FORMATS.get(suffix, (None, {}))
    if wav is not None or head.startswith((b"RIFF", b"OggS", b".snd", b"FORM")):
        form, options = None, {}
    options = {**options, **NO_PROTOCOLS, **more_options}
    raw = None if wav is None else wav.raw_pcm
    container = None if raw else _opened(file, form, options)
    if container is None and wav is not None and wav.samples is not None:
        form, rate_and_layout = wav.samples  # what lies behind the sound may be damaged
        container = _opened(SoundBytes(file, wav), form, {**options, **rate_and_layout})
    if container is None:
        raise ClipError("audio", f"the file cannot be read as sound: {describe_bytes(head)}")
    return container


def _opened(
    file: MediaReader | LinkFile | SoundBytes, form: str | None, options: dict[str, str]
) -> InputContainer | None:
    """The container; None if FFmpeg finds none."""
    import av

    with suppress(av.error.FFmpegError, ValueError):
        container: InputContainer = av.open(
            file,
            mode="r",
            format=form,
            container_options=options,
            buffer_size=READ_BYTES,
            **tag_options(),
        )
        return container
    return None


def _open_stream(container: InputContainer, stream: Any, head: bytes) -> AudioStream:
    """The chosen audio stream; the others are discarded, so that they are not demuxed."""
    if stream is None:
        raise ClipError("audio", _no_audio_message(container, head))
    if stream.codec_context is None:
        form = container.format.long_name
        raise ClipError("audio", f"the file is {form} with an audio codec that cannot be decoded")
    from av.stream import Discard

    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    stream.codec_context.thread_count = 1
    opened: AudioStream = stream
    return opened


def _no_audio_message(container: InputContainer, head: bytes) -> str:
    stream_types = " and ".join(sorted({stream.type for stream in container.streams}))
    if container.streams.video and container.format.name not in _STILL_IMAGES:
        return f"the file has no audio track: {container.format.long_name} with {stream_types} only"
    return f"the file cannot be read as sound: {describe_bytes(head)}"


_STILL_IMAGES = {
    "image2",
    "png_pipe",
    "jpeg_pipe",
    "gif",
    "webp_pipe",
    "bmp_pipe",
    "tiff_pipe",
    "tty",
}


def header_duration_s(
    container_format: str, stream: AudioStream, wav: WavHeader | None
) -> float | None:
    """The least duration in seconds that the header states; None if it states none.

    ``container_format`` is FFmpeg's name of the container.
    """
    if wav is not None:
        return wav.stated_duration_s
    if not stream.duration or not stream.time_base:
        return None
    stated = float(stream.duration * stream.time_base)
    if container_format in EXACT_FORMATS:
        return stated
    # The stated duration includes the encoder's delay and padding, which are cut off.
    return stated * 0.98 - 1.0 if container_format in NEARLY_EXACT_FORMATS else None


def stated_duration_s(recording: Recording) -> float | None:
    """About how long the sound is by its container, to show progress; None if it does not say."""
    stream = recording.stream
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return recording.duration_s
