"""A client of ``/v1/listen`` that reads whatever comes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlencode

import numpy as np
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from quest22.records import SAMPLE_RATE_HZ, Samples
from tests.support.recordings import recordings
from tests.support.running_server import RunningServer

BLOCK_S = 0.1
RAW = {"encoding": "linear16", "sample_rate": str(SAMPLE_RATE_HZ)}


def speech(seconds_between: float = 1.0, count: int = 2, language: str = "en") -> Samples:
    """Recordings of the sample voices with silence between and around them."""
    silence = np.zeros(round(seconds_between * SAMPLE_RATE_HZ), np.float32)
    parts = [silence]
    for sound in recordings(language, count, longest_s=6.0):
        parts += [sound, silence]
    return np.concatenate(parts)


def pcm(sound: Samples) -> bytes:
    """16 bits a sample."""
    return (np.clip(sound, -1, 1) * 32_767).astype("<i2").tobytes()


def blocks(data: bytes, size: int = round(BLOCK_S * SAMPLE_RATE_HZ) * 2) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@contextmanager
def listening(server: RunningServer, **query: str) -> Iterator[ClientConnection]:
    """An open socket."""
    address = f"{server.websocket_url}/v1/listen?{urlencode(query)}"
    with connect(
        address, additional_headers={"Authorization": "Token key"}, open_timeout=120
    ) as socket:
        yield socket


def control(socket: ClientConnection, kind: str, **fields: Any) -> None:
    socket.send(json.dumps({"type": kind, **fields}))


def send(socket: ClientConnection, parts: Iterable[bytes]) -> None:
    for part in parts:
        socket.send(part)


def messages(socket: ClientConnection, timeout_s: float = 120.0) -> Iterator[dict[str, Any]]:
    """Until the server closes the socket, or is silent for too long."""
    with suppress(ConnectionClosed):
        while True:
            yield json.loads(socket.recv(timeout=timeout_s))


def until(socket: ClientConnection, kind: str, timeout_s: float = 120.0) -> dict[str, Any]:
    """The next message of a kind."""
    for message in messages(socket, timeout_s):
        if message["type"] == kind:
            return message
    raise AssertionError(f"closed before {kind}: {socket.close_code} {socket.close_reason}")


def all_of(server: RunningServer, data: bytes, **query: str) -> list[dict[str, Any]]:
    """Send sound as fast as it is taken, end the stream, and read all."""
    with listening(server, **query) as socket:
        send(socket, blocks(data))
        control(socket, "CloseStream")
        found = list(messages(socket))
        assert socket.close_code == 1000, (socket.close_code, socket.close_reason)
    return found


def transcript(message: dict[str, Any]) -> str:
    return str(message["channel"]["alternatives"][0]["transcript"])


def finals(found: Iterable[dict[str, Any]], channel: int = 0) -> list[dict[str, Any]]:
    return [
        each
        for each in found
        if each["type"] == "Results" and each["is_final"] and each["channel_index"][0] == channel
    ]


def said(found: Iterable[dict[str, Any]], channel: int = 0) -> str:
    """All text that is final."""
    return " ".join(filter(None, map(transcript, finals(found, channel))))
