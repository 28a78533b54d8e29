"""Decodes a clip in a process of its own, which it may crash, hang or fill.

The process decodes exactly as this one would, and is given the clip's bytes as it asks for them.
Nothing that it sends is executed.
"""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np

from quest22.audio.container import open_media
from quest22.audio.decode import OnDuration
from quest22.audio.decode_process import (
    BEGIN,
    BROKEN,
    DONE,
    DURATION,
    END,
    FAILED,
    LOG,
    NUMBER,
    PLACE,
    READ,
    SEEK,
    SOUND,
    Pipe,
)
from quest22.audio.media_reader import MediaReader
from quest22.errors import ClipError, TooLongError
from quest22.metrics import Metrics
from quest22.records import Audio, Clip, Damage, Samples
from quest22.settings import AudioSettings

PATIENCE_S = 120.0
"""How long the process may work on one block of sound; waiting for bytes is not counted."""

PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from quest22.audio.decode_process import main; main()"
)


class ProcessDecoder:
    """Decodes each clip in a new process; an :class:`quest22.protocols.AudioDecoder`."""

    def __init__(
        self,
        settings: AudioSettings,
        metrics: Metrics | None = None,
        on_duration: OnDuration | None = None,
        patience_s: float = PATIENCE_S,
        program: str = PROGRAM,
    ) -> None:
        self._settings = settings
        self._metrics = metrics or Metrics()
        self._on_duration = on_duration
        self._patience_s = patience_s
        self._program = program

    def decode(self, clip: Clip) -> Audio:
        """Decode as :class:`quest22.audio.decode.MediaDecoder` does.

        Taking a block also raises ClipError if the process dies or makes no progress.
        """
        damage: list[Damage] = []
        return Audio(clip, self._blocks(clip, damage), damage)

    def _blocks(self, clip: Clip, damage: list[Damage]) -> Iterator[Samples]:
        with open_media(clip, self._metrics) as reader, _process(self._program) as process:
            pipe = Pipe(process.stdout, process.stdin)  # type: ignore[arg-type]
            with suppress(OSError):  # it has died, which is noticed next
                pipe.send_values(BEGIN, *_request(clip, self._settings))
            left_s = self._patience_s
            while True:
                begun_s = time.monotonic()
                kind, data = _receive(pipe, process, left_s)
                left_s -= time.monotonic() - begun_s
                if kind == SOUND:
                    yield _block(data)
                    left_s = self._patience_s
                elif kind in (READ, SEEK):
                    _serve(kind, data, reader, pipe)
                elif kind == END:
                    places, counts = json.loads(data)
                    damage.extend(Damage(*place) for place in places)
                    self._count(counts)
                    return
                elif kind in (DURATION, LOG, FAILED):
                    self._take(kind, json.loads(data), clip, reader)
                else:
                    raise ClipError(
                        "audio", _death(process, self._patience_s if left_s <= 0 else None)
                    )

    def _take(self, kind: bytes, values: list[object], clip: Clip, reader: MediaReader) -> None:
        if kind == DURATION and self._on_duration is not None:
            self._on_duration(clip, float(str(values[0])))
        if kind == LOG:
            name, level, message = values
            logging.getLogger(str(name)).log(int(str(level)), "%s", message)
        if kind == FAILED:
            stage, reason, too_long, counts = values
            reader.check()
            self._count(counts)
            raise TooLongError(str(reason)) if too_long else ClipError(str(stage), str(reason))

    def _count(self, counts: object) -> None:
        for name, amount in dict(counts).items():  # type: ignore[call-overload]
            if name != "bytes":  # counted here
                self._metrics.count(name, amount)


def _request(clip: Clip, settings: AudioSettings) -> tuple[object, ...]:
    """The clip's name, whose suffix tells raw formats; the settings; the log level; the stretch."""
    name = clip.media.name if isinstance(clip.media, Path) else clip.name
    level = logging.getLogger("quest22").getEffectiveLevel()
    return name, asdict(settings), level, (clip.offset_s, clip.duration_s)


def _block(data: bytes) -> Samples:
    """A block: its number of channels, 0 if it is mono, and its samples."""
    (channels,) = NUMBER.unpack_from(data)
    samples = np.frombuffer(data, np.float32, offset=NUMBER.size).copy()
    return samples.reshape(-1, channels) if channels else samples


def _serve(kind: bytes, data: bytes, reader: MediaReader, pipe: Pipe) -> None:
    try:
        if kind == READ:
            answer = reader.read(*NUMBER.unpack(data))
        else:
            answer = NUMBER.pack(reader.seek(*PLACE.unpack(data)))
    except Exception:  # the reader remembers it
        pipe.send(BROKEN)
    else:
        with suppress(OSError):  # it has died, which is noticed next
            pipe.send(DONE, answer)


def _receive(
    pipe: Pipe, process: subprocess.Popen[bytes], patience_s: float
) -> tuple[bytes, bytes]:
    """The next message; none if the process dies, or takes longer and is killed."""
    timer = threading.Timer(max(patience_s, 0.0), process.kill)
    timer.daemon = True
    timer.start()
    try:
        return pipe.receive()
    finally:
        timer.cancel()


def _death(process: subprocess.Popen[bytes], patience_s: float | None) -> str:
    """Why a process has ended before its work was done."""
    if patience_s is not None:
        return f"decoding it made no progress for {patience_s:.0f} s"
    process.kill()
    code = process.wait()
    name = f"exit code {code}"
    if code < 0:
        with suppress(ValueError):
            name = signal.Signals(-code).name
    return f"decoding it crashes FFmpeg ({name})"


@contextmanager
def _process(program: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that decodes; killed on leaving. Its modules are found where ours are."""
    try:
        process = subprocess.Popen(  # noqa: S603 -- our own program
            [sys.executable, "-I", "-c", program, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as exc:
        reason = f"it crashed decoding before, and no process can be started: {exc.strerror or exc}"
        raise ClipError("audio", reason) from exc
    try:
        yield process
    finally:
        process.kill()
        with suppress(OSError):
            process.communicate()
