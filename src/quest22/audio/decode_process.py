"""A process that decodes one clip: it has no files and no network, but asks for the clip's bytes.

Started by :mod:`quest22.audio.decode_apart`. Messages go over its standard input and output: a
letter, a length, and so many bytes.
"""

from __future__ import annotations

import io
import json
import logging
import os
import struct
import sys
from dataclasses import astuple, replace
from typing import IO, Any

from quest22.audio.decode import MediaDecoder
from quest22.errors import ClipError, TooLongError
from quest22.metrics import Metrics
from quest22.records import Clip, Origin
from quest22.settings import AudioSettings
from quest22.system.process_limits import limit_process

MAX_MEMORY_BYTES = 4 << 30
MAX_CPU_S = 6 * 3600

BEGIN, READ, SEEK, DONE, BROKEN = b"B", b"R", b"S", b"D", b"X"
SOUND, DURATION, LOG, FAILED, END = b"s", b"d", b"l", b"f", b"e"
MAX_MESSAGE_BYTES = 1 << 26

_HEAD = struct.Struct("<cQ")
PLACE = struct.Struct("<qB")
NUMBER = struct.Struct("<q")


class Pipe:
    """Messages to and from the other process."""

    def __init__(self, source: IO[bytes], target: IO[bytes]) -> None:
        self._source, self._target = source, target

    def send(self, kind: bytes, data: bytes = b"") -> None:
        """Send a message at once; raises ``OSError`` if nobody reads it."""
        self._target.write(_HEAD.pack(kind, len(data)))
        self._target.write(data)
        self._target.flush()

    def send_values(self, kind: bytes, *values: Any) -> None:
        """Send values that JSON can hold."""
        self.send(kind, json.dumps(values).encode())

    def receive(self) -> tuple[bytes, bytes]:
        """The next message; an empty kind if there is none any more, or no valid one."""
        head = self._source.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return b"", b""
        kind, size = _HEAD.unpack(head)
        data = self._source.read(size) if size <= MAX_MESSAGE_BYTES else b""
        return (kind, data) if len(data) == size else (b"", b"")


class _AskedFile(io.RawIOBase):
    """The clip's bytes, which the other process reads."""

    def __init__(self, pipe: Pipe) -> None:
        super().__init__()
        self._pipe = pipe

    def read(self, size: int = -1, /) -> bytes:
        return self._ask(READ, NUMBER.pack(size))

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return int(NUMBER.unpack(self._ask(SEEK, PLACE.pack(offset, whence)))[0])

    def tell(self) -> int:
        return self.seek(0, 1)

    def seekable(self) -> bool:
        return True

    def _ask(self, kind: bytes, data: bytes) -> bytes:
        self._pipe.send(kind, data)
        answer, data = self._pipe.receive()
        if answer != DONE:
            raise OSError("the file cannot be read")
        return data


class _LogSender(logging.Handler):
    """Sends what is logged to the other process, which logs it."""

    def __init__(self, pipe: Pipe) -> None:
        super().__init__()
        self._pipe = pipe

    def emit(self, record: logging.LogRecord) -> None:
        self._pipe.send_values(LOG, record.name, record.levelno, record.getMessage())


def main() -> None:
    """Decode the clip that standard input asks for."""
    target = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no message
    pipe = Pipe(sys.stdin.buffer, target)
    limit_process(memory_bytes=MAX_MEMORY_BYTES, cpu_s=MAX_CPU_S)
    kind, data = pipe.receive()
    if kind != BEGIN:
        return
    name, settings, level, stretch = json.loads(data)
    logger = logging.getLogger("quest22")
    logger.addHandler(_LogSender(pipe))
    logger.setLevel(level)
    logger.propagate = False
    whole = Clip(name, name, lambda: _AskedFile(pipe), Origin(""))  # type: ignore[arg-type, return-value]
    offset_s, duration_s = stretch
    clip = replace(whole, offset_s=offset_s, duration_s=duration_s)
    _decode(pipe, clip, AudioSettings(**settings))


def _decode(pipe: Pipe, clip: Clip, settings: AudioSettings) -> None:
    metrics = Metrics()

    def tell_duration(_: Clip, seconds: float) -> None:
        pipe.send_values(DURATION, seconds)

    try:
        audio = MediaDecoder(settings, metrics, tell_duration).decode(clip)
        for block in audio.blocks:
            pipe.send(
                SOUND, NUMBER.pack(0 if block.ndim == 1 else block.shape[1]) + block.tobytes()
            )
    except ClipError as exc:
        too_long = isinstance(exc, TooLongError)
        pipe.send_values(FAILED, exc.stage, exc.reason, too_long, metrics.counts())
    except MemoryError:
        limit = f"{MAX_MEMORY_BYTES >> 30} GB of memory"
        reason = f"decoding it takes more than {limit}"
        pipe.send_values(FAILED, "audio", reason, False, metrics.counts())
    else:
        pipe.send_values(END, [astuple(each) for each in audio.damage], metrics.counts())
