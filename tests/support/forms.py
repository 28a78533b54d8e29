"""Forms as clients send them, and a client that sends them as slowly as it likes."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np
import soundfile

from quest22.records import SAMPLE_RATE_HZ, Samples
from tests.support.recordings import recordings
from tests.support.running_server import RunningServer

BOUNDARY = "fdb2c4a1"
Fields: TypeAlias = Sequence[tuple[str, str]]
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def spoken(language: str = "en", count: int = 1, pause_s: float = 0.6) -> Samples:
    """Some sample recordings, one after another."""
    pause = np.zeros(round(pause_s * SAMPLE_RATE_HZ), np.float32)
    return np.concatenate([part for each in recordings(language, count) for part in (each, pause)])


def sound_file(samples: Samples, form: str = "WAV") -> bytes:
    """As ``WAV``, ``FLAC``, ``MP3`` or ``OGG``."""
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", SAMPLE_RATE_HZ, 1, format=form) as writer:
        for start in range(0, len(samples), SAMPLE_RATE_HZ):  # libsndfile dies of long Ogg at once
            writer.write(samples[start : start + SAMPLE_RATE_HZ])
    return file.getvalue()


def encoded_form(before: Fields, data: bytes, after: Fields = ()) -> bytes:
    """A form with a recording between its fields."""
    file = b'name="file"; filename="talk.bin"\r\nContent-Type: audio/x\r\n\r\n' + data
    every = [*map(_field, before), file, *map(_field, after)]
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; ".encode()
    return b"".join(head + each + b"\r\n" for each in every) + f"--{BOUNDARY}--\r\n".encode()


def _field(field: tuple[str, str]) -> bytes:
    return f'name="{field[0]}"\r\n\r\n{field[1]}'.encode()


class SlowClient:
    """A request whose body is sent in parts, and whose answer is read meanwhile."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._answer = connection.makefile("rb")

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def lines(self) -> Iterator[str]:
        """Lines of the answer, as they come."""
        for line in self._answer:
            yield line.decode().rstrip("\r\n")

    def close(self) -> None:
        self._answer.close()
        self.connection.close()


@contextmanager
def slow_client(server: RunningServer, path: str, size: int) -> Iterator[SlowClient]:
    """Post a form of so many bytes to a path."""
    client = SlowClient(socket.create_connection((server.host, server.port), timeout=300))
    client.send(
        f"POST {path} HTTP/1.1\r\nHost: {server.host}\r\nContent-Type: {CONTENT_TYPE}\r\n"
        f"Content-Length: {size}\r\n\r\n".encode()
    )
    try:
        yield client
    finally:
        client.close()
