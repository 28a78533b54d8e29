"""Wyoming's events, none of them larger than expected."""

from __future__ import annotations

import asyncio
import json

import pytest
from wyoming.event import Event

from quest22.server.wyoming.wire import MAX_LINE_BYTES, InvalidEventError, read_event


def read(data: bytes) -> list[Event]:
    """All events of a connection that then ends."""

    async def run() -> list[Event]:
        reader = asyncio.StreamReader(limit=MAX_LINE_BYTES)
        reader.feed_data(data)
        reader.feed_eof()
        found = []
        while (event := await read_event(reader)) is not None:
            found.append(event)
        return found

    return asyncio.run(run())


def line(**fields: object) -> bytes:
    return json.dumps(fields).encode() + b"\n"


def test_events() -> None:
    data = b'{"b": 2}'
    found = read(
        line(type="describe")
        + line(type="x", data={"a": 1}, data_length=len(data))
        + data
        + line(type="y", payload_length=3)
        + b"abc"
    )
    assert found == [Event("describe"), Event("x", {"a": 1, "b": 2}), Event("y", {}, b"abc")]


@pytest.mark.parametrize("data", [b"", line(type="x", payload_length=9) + b"abc"])
def test_a_connection_that_ends(data: bytes) -> None:
    assert read(data) == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"GET / HTTP/1.1\r\n", "JSON"),
        (b"[]\n", "object"),
        (b"[" * 60_000 + b"\n", "JSON"),
        (line(data={}), "type"),
        (line(type="x", data=[1]), "data"),
        (line(type="x", data_length=10**9), "data_length"),
        (line(type="x", payload_length=10**12), "payload_length"),
        (line(type="x", payload_length=-1), "payload_length"),
        (line(type="x", payload_length="9"), "payload_length"),
        (line(type="x", payload_length=True), "payload_length"),
        (line(type="x", data=0), "data"),
        (b"x" * (MAX_LINE_BYTES + 1), "at most 65,536 bytes"),
    ],
    ids=range(12),
)
def test_what_is_no_event(data: bytes, said: str) -> None:
    with pytest.raises(InvalidEventError, match=said):
        read(data)
