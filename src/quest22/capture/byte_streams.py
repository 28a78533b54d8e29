"""Bytes that come in over time, read as they are there. Knows no formats."""

from __future__ import annotations

import os
import socket
from typing import Protocol

from quest22.capture.stop import Stop
from quest22.errors import ClipError
from quest22.system import WINDOWS

NEVER_S = None
PEEK_BYTES = 4096


class ByteStream(Protocol):
    """Bytes in order, without a way back."""

    def read(self, size: int) -> bytes:
        """What is there, up to ``size`` bytes; waits for the first one. Empty: the end."""
        ...


class PipeBytes:
    """A pipe, terminal or file by its descriptor; ends when ``stop`` is set."""

    def __init__(self, descriptor: int, stop: Stop) -> None:
        self._descriptor = descriptor
        self._stop = stop

    def read(self, size: int) -> bytes:
        while not self._stop.is_set:
            if not WINDOWS and not self._stop.wait_for(self._descriptor):
                break  # Windows can wait for sockets only
            try:
                return os.read(self._descriptor, size)
            except BlockingIOError:  # whoever shares the pipe has made it so
                continue
            except OSError as exc:
                raise ClipError("source", f"it cannot be read: {exc.strerror or exc}") from exc
        return b""


class SocketBytes:
    """A connection; ends when ``stop`` is set.

    Raises :class:`ClipError` when it breaks, or when nothing has come for ``idle_s`` seconds.
    """

    def __init__(
        self, connection: socket.socket, stop: Stop, idle_s: float | None = NEVER_S
    ) -> None:
        self._connection = connection
        self._stop = stop
        self._idle_s = idle_s

    def read(self, size: int) -> bytes:
        if not self._stop.wait_for(self._connection, self._idle_s):
            if self._stop.is_set:
                return b""
            raise ClipError("source", f"nothing has come for {self._idle_s:g} s: disconnected")
        try:
            return self._connection.recv(size)
        except OSError as exc:
            raise ClipError("source", f"the connection broke: {exc.strerror or exc}") from exc


class PeekedBytes:
    """A stream whose next bytes can be looked at, and given back."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._held = b""
        self.count = 0

    def peek(self, size: int) -> bytes:
        """The next ``size`` bytes, waited for; fewer at the end."""
        while len(self._held) < size:
            more = self._stream.read(max(size - len(self._held), PEEK_BYTES))
            if not more:
                break
            self._held += more
        return self._held[:size]

    def read(self, size: int) -> bytes:
        if self._held:
            data, self._held = self._held[:size], self._held[size:]
        else:
            data = self._stream.read(size)
        self.count += len(data)
        return data

    def read_exactly(self, size: int) -> bytes:
        """``size`` bytes, waited for; fewer at the end."""
        parts = []
        while size > 0 and (data := self.read(min(size, PEEK_BYTES))):
            parts.append(data)
            size -= len(data)
        return b"".join(parts)

    def give_back(self, data: bytes) -> None:
        """Put back what was read last, so that it comes again."""
        self._held = data + self._held
        self.count -= len(data)
