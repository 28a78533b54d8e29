"""Clients that connect over TCP and send sound: raw samples, or any container.

Several are heard at once, each as a session of its own; one more than that is turned away. There is
no password and no encryption, so the port is open to this machine only unless the address says
otherwise.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import urlsplit

from quest22.capture.blocks import live_blocks
from quest22.capture.byte_streams import SocketBytes
from quest22.capture.decoding import decoded
from quest22.capture.notices import Notify
from quest22.capture.settings import CaptureSettings
from quest22.capture.sound_source import LiveSound
from quest22.capture.stop import Stop
from quest22.errors import SourceError, UsageError
from quest22.records import Samples

LOOPBACK = "127.0.0.1"
IDLE_S = 300.0
"""A client that has sent nothing for so long gives its place to others."""
KEEPALIVE_S = 30
RETRY_S = 0.2
"""A client that cannot be accepted still waits, so that asking at once would be asking always."""


class TcpSource:
    """A :class:`SoundSource` of the clients of a port."""

    def __init__(self, settings: CaptureSettings, stop: Stop, notify: Notify) -> None:
        """Raises :class:`UsageError` for no address, :class:`SourceError` if it is not free."""
        self._settings = settings
        self._stop = stop
        self._notify = notify
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        host, port = parse_address(str(settings.listen))
        self._server = _listening(host, port)
        found_host, found_port = self._server.getsockname()[:2]
        self.address = f"tcp://{_bracketed(found_host)}:{found_port}"
        if not ip_address(found_host).is_loopback:
            notify(f"{self.address} is open to everyone who reaches this machine")

    @property
    def title(self) -> str:
        return self.address

    def sounds(self) -> Iterator[LiveSound]:
        """A sound for each client, as it connects."""
        while self._stop.wait_for(self._server):
            try:
                connection, peer = self._server.accept()
            except OSError as exc:  # it has gone again, or there are too many open files
                self._notify(f"{self.address}: a client cannot be heard: {exc.strerror or exc}")
                self._stop.wait(RETRY_S)
                continue
            name = f"{_bracketed(peer[0])}:{peer[1]}"
            with self._lock:
                is_full = len(self._connections) >= self._settings.max_clients
                if not is_full:
                    self._connections.add(connection)
            if is_full:
                self._notify(
                    f"{name}: turned away, as {self._settings.max_clients} clients are heard "
                    "already; --max-clients allows more"
                )
                connection.close()
                continue
            _keep_alive(connection)
            yield LiveSound(name, self._blocks(connection, name))
            if self._settings.once:
                return

    def close(self) -> None:
        self._server.close()
        with self._lock:
            for each in self._connections:
                each.close()

    def _blocks(self, connection: socket.socket, name: str) -> Iterator[Samples]:
        settings = self._settings
        try:
            with connection:
                stream = SocketBytes(connection, self._stop, IDLE_S)
                track = settings.audio.audio_track
                pieces = decoded(stream, settings.raw, name, self._notify, track)
                yield from live_blocks(pieces, settings.channel)
        finally:
            with self._lock:
                self._connections.discard(connection)


def parse_address(address: str) -> tuple[str, int]:
    """``tcp://HOST:PORT``, ``HOST:PORT``, ``:PORT`` or ``PORT``; without a host, this machine only.

    Raises :class:`UsageError` for anything else.
    """
    text = address if "://" in address else f"tcp://{address}"
    if address.isdecimal():
        text = f"tcp://:{address}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        port = None
    if port is None or parts.scheme != "tcp" or parts.path not in ("", "/") or parts.query:
        raise UsageError(
            f"listen is {address!r}: expected tcp://HOST:PORT, as tcp://127.0.0.1:2222"
        )
    return parts.hostname or LOOPBACK, port


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        server = socket.socket(family, kind, protocol)
        try:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(address)
            server.listen()
            server.setblocking(False)
        except BaseException:
            server.close()
            raise
    except OSError as exc:
        raise SourceError(
            f"cannot listen at {_bracketed(host)}:{port}: {exc.strerror or exc}; choose another "
            "port, or an address of this machine"
        ) from exc
    return server


def _keep_alive(connection: socket.socket) -> None:
    """Notice within minutes that a client's machine has vanished."""
    connection.setblocking(True)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL"):
        with suppress(AttributeError, OSError):  # not everywhere
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), KEEPALIVE_S)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
