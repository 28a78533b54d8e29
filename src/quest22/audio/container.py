"""Opens encoded media as a container with one audio stream chosen.

Reads bytes from memory, from a path or through a function that opens a file, and translates
FFmpeg's errors. The duration that a header states is read too, to detect truncated files. Knows
nothing of samples.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, BinaryIO

from quest22.audio.file_signature import describe_bytes
from quest22.audio.wav_header import SoundBytes, WavHeader, read_wav_header
from quest22.errors import ClipError
from quest22.metrics import Metrics
from quest22.records import Clip

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

READ_BYTES = 256 * 1024
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

EXACT_FORMATS = {"flac", "aiff", "au"}
NEARLY_EXACT_FORMATS = {"mov,mp4,m4a,3gp,3g2,mj2"}
"""Formats whose header states the duration; for others FFmpeg's duration is an estimate."""

# A playlist inside a file must never make FFmpeg open other files or addresses.
NO_PROTOCOLS = {"protocol_whitelist": ""}


class MediaReader:
    """A binary file that remembers errors and how long reading took.

    FFmpeg treats a failed read as the end of the file, which would hide a network error.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: Exception | None = None
        self.seconds = 0.0
        self.bytes = 0

    def read(self, size: int = -1) -> bytes:
        begun_s = time.perf_counter()
        try:
            data = self._file.read(size)
        except Exception as exc:
            self.error = exc
            raise
        finally:
            self.seconds += time.perf_counter() - begun_s
        self.bytes += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self._file.seek(offset, whence)
        except Exception as exc:
            self.error = exc
            raise

    def check(self) -> None:
        """Raise the error of an earlier read as a ClipError of stage ``source``."""
        if self.error is not None:
            message = f"reading the file failed: {_one_line(self.error)}"
            raise ClipError("source", message) from self.error

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return self._file.seekable()

    def close(self) -> None:
        self._file.close()


@dataclass(slots=True)
class Recording:
    """An open container with its chosen audio stream.

    ``header_duration_s``: the least duration that the header states; None if it states none.
    ``wav`` is the header of a WAV file.
    """

    container: InputContainer
    stream: AudioStream
    reader: MediaReader
    header_duration_s: float | None
    wav: WavHeader | None = None

    @property
    def held_duration_s(self) -> float | None:
        """The duration by the header, though no more than a WAV file has bytes for."""
        stated_s, wav = self.header_duration_s, self.wav
        if stated_s is None or wav is None:
            return stated_s
        return min(stated_s, wav.available / wav.bytes_a_second)


def open_reader(clip: Clip) -> MediaReader:
    """Open the clip's bytes; raises ClipError (stage ``source``) if that fails."""
    media = clip.media
    try:
        if isinstance(media, bytes):
            return MediaReader(io.BytesIO(media))
        if isinstance(media, Path):
            return MediaReader(media.open("rb"))
        return MediaReader(media())  # type: ignore[operator]
    except ClipError:
        raise
    except Exception as exc:
        raise ClipError("source", f"the file cannot be opened: {_one_line(exc)}") from exc


def _one_line(exc: BaseException) -> str:
    """The message of an exception in one line, never empty."""
    text = getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
    return " ".join(str(text).split())


@contextmanager
def _source_errors(reader: MediaReader) -> Iterator[None]:
    """Raise errors of reading bytes as such, not as the decoding errors they cause."""
    try:
        yield
    except Exception:
        reader.check()
        raise
    reader.check()


@contextmanager
def open_recording(clip: Clip, metrics: Metrics) -> Iterator[Recording]:
    """The clip's container with its best audio stream chosen, closed on leaving.

    Raises ClipError: stage ``source`` if bytes cannot be read, else ``audio`` with what the file
    seems to be.
    """
    with closing(open_reader(clip)) as reader:
        with _source_errors(reader):
            head = reader.read(HEAD_BYTES)
            if not head:
                raise ClipError("audio", "the file is empty (0 bytes)")
            wav = read_wav_header(reader)
            reader.seek(0)
            container = _open_container(reader, head, _suffix(clip), wav)
        try:
            with container:
                stream = _choose_stream(container, head)
                duration_s = header_duration_s(container.format.name, stream, wav)
                yield Recording(container, stream, reader, duration_s, wav)
        finally:
            if callable(clip.media):
                metrics.add_seconds("source", reader.seconds)
                metrics.count("bytes", reader.bytes)


def _suffix(clip: Clip) -> str:
    path = clip.media if isinstance(clip.media, Path) else PurePath(clip.name)
    return path.suffix.lower()


def _open_container(
    reader: MediaReader, head: bytes, suffix: str, wav: WavHeader | None
) -> InputContainer:
    import av

    file: MediaReader | SoundBytes = reader
    form, options = RAW_FORMATS.get(suffix, (None, {}))
    if wav is not None or head.startswith((b"RIFF", b"OggS", b".snd", b"FORM")):
        form, options = None, {}
    if wav is not None and wav.raw_pcm is not None:
        form, options = wav.raw_pcm
        file = SoundBytes(reader, wav)
    try:
        container: InputContainer = av.open(
            file,
            mode="r",
            format=form,
            container_options={**options, **NO_PROTOCOLS},
            buffer_size=READ_BYTES,
            **_tag_options(),
        )
        return container
    except (av.error.FFmpegError, ValueError) as exc:
        raise ClipError(
            "audio", f"the file cannot be read as sound: {describe_bytes(head)}"
        ) from exc


def _tag_options() -> dict[str, Any]:
    """PyAV before 19 fails by default on tags that are not UTF-8."""
    import av

    return {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}


def _choose_stream(container: InputContainer, head: bytes) -> AudioStream:
    """The best audio stream; the others are discarded, so that they are not demuxed."""
    best: Any = container.streams.best("audio")
    if best is None and container.streams.audio:
        best = container.streams.audio[0]
    if best is None:
        raise ClipError("audio", _no_audio_message(container, head))
    if best.codec_context is None:
        form = container.format.long_name
        raise ClipError("audio", f"the file is {form} with an audio codec that cannot be decoded")
    from av.stream import Discard

    for stream in container.streams:
        if stream.index != best.index:
            stream.discard = Discard.all
    best.codec_context.thread_count = 1
    chosen: AudioStream = best
    return chosen


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


@contextmanager
def translated_errors(recording: Recording) -> Iterator[None]:
    """Translate FFmpeg's errors while packets are read and decoded."""
    import av

    with _source_errors(recording.reader):
        try:
            yield
        except (av.error.FFmpegError, ValueError) as exc:
            raise ClipError("audio", f"the sound cannot be decoded: {_one_line(exc)}") from exc


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
    import av

    stream, container = recording.stream, recording.container
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None
