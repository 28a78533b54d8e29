from __future__ import annotations

import errno
import socket
import struct
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from quest22.capture.raw_pcm import RawFormat
from quest22.capture.settings import CaptureSettings
from quest22.capture.sound_source import LiveSound
from quest22.capture.stop import Stop
from quest22.capture.tcp import RETRY_S, TcpSource, parse_address
from quest22.errors import ClipError, SourceError, UsageError
from tests.capture.streams import Told

RAW = RawFormat("s16le", 16_000, 1)


class Port:
    """A port that is listened to, and clients of it."""

    def __init__(self, **settings: object) -> None:
        self.told, self.stop = Told(), Stop()
        capture = CaptureSettings(listen="tcp://127.0.0.1:0", raw=RAW, **settings)
        self.source = TcpSource(capture, self.stop, self.told)
        self.sounds: Iterator[LiveSound] = self.source.sounds()
        self.address = parse_address(self.source.address)

    def client(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=30)


@pytest.fixture
def port() -> Iterator[Port]:
    port = Port(max_clients=2)
    yield port
    port.stop.set()
    port.source.close()


def test_clients_are_heard_side_by_side(port: Port) -> None:
    first, second = port.client(), port.client()
    heard = [next(port.sounds), next(port.sounds)]
    assert heard[0].name == "{}:{}".format(*first.getsockname())
    for client, value in ((first, 16384), (second, -16384)):
        client.sendall(np.full(100, value, "<i2").tobytes())
    np.testing.assert_array_equal(next(heard[1].blocks), np.full(100, -0.5))
    np.testing.assert_array_equal(next(heard[0].blocks), np.full(100, 0.5))
    first.close()
    assert list(heard[0].blocks) == []
    second.close()


def test_one_too_many_is_turned_away_until_another_leaves(port: Port) -> None:
    clients = [port.client() for _ in range(3)]
    heard = [next(port.sounds), next(port.sounds)]
    accepting = threading.Thread(target=lambda: heard.append(next(port.sounds)))
    accepting.start()
    assert clients[2].recv(1) == b""
    clients[2].close()
    assert port.told[0].endswith(
        "turned away, as 2 clients are heard already; --max-clients allows more"
    )
    for client in clients[:2]:
        client.close()
    assert [list(each.blocks) for each in heard] == [[], []]
    with port.client() as late:
        accepting.join(30)
        late.sendall(b"\0\0")
        assert len(next(heard[2].blocks)) == 1
    assert list(heard[2].blocks) == []


def test_a_client_that_vanishes_leaves_what_it_said(port: Port) -> None:
    client = port.client()
    sound = next(port.sounds)
    client.sendall(bytes(200))
    assert len(next(sound.blocks)) == 100
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()  # a reset
    with pytest.raises(ClipError, match="the connection broke: Connection reset"):
        next(sound.blocks)


def test_a_stop_ends_clients_and_the_port(port: Port) -> None:
    client = port.client()
    sound = next(port.sounds)
    port.stop.set()
    assert list(sound.blocks) == []
    assert list(port.sounds) == []
    client.close()


class FullTable:
    """A server of a process that may not open any more files."""

    def __init__(self, server: socket.socket) -> None:
        self.fileno = server.fileno

    def accept(self) -> tuple[socket.socket, object]:
        raise OSError(errno.EMFILE, "Too many open files")


def test_what_cannot_be_accepted_is_told_and_waited_for(
    port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        port.stop.set()
        return True

    server = port.source._server
    monkeypatch.setattr(port.source, "_server", FullTable(server))
    monkeypatch.setattr(port.stop, "wait", wait)
    with port.client():
        assert list(port.sounds) == []
    assert waits == [RETRY_S]
    assert port.told[0].endswith("a client cannot be heard: Too many open files")
    server.close()


def test_once_hears_the_first_alone() -> None:
    port = Port(once=True)
    client = port.client()
    assert len(list(port.sounds)) == 1
    client.close()
    port.source.close()


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("tcp://127.0.0.1:2222", ("127.0.0.1", 2222)),
        ("tcp://:2222", ("127.0.0.1", 2222)),
        ("2222", ("127.0.0.1", 2222)),
        (":2222", ("127.0.0.1", 2222)),
        ("0.0.0.0:2222", ("0.0.0.0", 2222)),
        ("tcp://[::1]:2222", ("::1", 2222)),
    ],
)
def test_addresses(address: str, found: tuple[str, int]) -> None:
    assert parse_address(address) == found


@pytest.mark.parametrize("address", ["tcp://host", "udp://127.0.0.1:1", "tcp://h:99999", "x", ""])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(UsageError, match="expected tcp://HOST:PORT"):
        parse_address(address)


def test_a_port_that_is_taken_or_open_to_others(port: Port) -> None:
    taken = CaptureSettings(listen=port.source.address)
    with pytest.raises(
        SourceError, match=r"cannot listen at 127\.0\.0\.1:.*in use; choose another"
    ):
        TcpSource(taken, port.stop, port.told)
    source = TcpSource(CaptureSettings(listen="tcp://0.0.0.0:0"), port.stop, port.told)
    assert port.told == [f"{source.address} is open to everyone who reaches this machine"]
    source.close()
