"""Reads and writes Wyoming events, with size limits.

An event is a line of JSON, optionally followed by more JSON and by bytes of the stated lengths.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from wyoming.event import Event, Eventable, async_write_event

MAX_LINE_BYTES = 1 << 16
MAX_DATA_BYTES = 1 << 18
MAX_PAYLOAD_BYTES = 1 << 22
"""Two minutes of 16-bit audio at 16 kHz."""

WRITE_TIMEOUT_S = 30.0
"""A client that reads nothing for this long is disconnected."""


class InvalidEventError(Exception):
    """The data is not a Wyoming event; the message says why."""


async def read_event(reader: asyncio.StreamReader) -> Event | None:
    """The next event; None at the end. Raises :class:`InvalidEventError`."""
    try:
        line = await reader.readline()
        if not line:
            return None
        head = _fields(line)
        data = head.get("data")
        if not isinstance(data, dict | None):
            raise InvalidEventError("data: expected an object")
        more = await _bytes(reader, head, "data_length", MAX_DATA_BYTES)
        if more:
            data = {**(data or {}), **_fields(more)}
        payload = await _bytes(reader, head, "payload_length", MAX_PAYLOAD_BYTES)
    except asyncio.IncompleteReadError:
        return None
    except ValueError as exc:  # how readline reports a line that is too long
        raise InvalidEventError(f"expected a line of at most {MAX_LINE_BYTES:,} bytes") from exc
    kind = head.get("type")
    if not isinstance(kind, str):
        raise InvalidEventError("expected an event with a type")
    return Event(kind, data or {}, payload or None)


async def write(writer: asyncio.StreamWriter, event: Eventable) -> None:
    """Send an event; raises :class:`TimeoutError` if the client does not read it."""
    async with asyncio.timeout(WRITE_TIMEOUT_S):
        await async_write_event(event.event(), writer)


def _fields(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise InvalidEventError("expected JSON") from exc
    if not isinstance(found, dict):
        raise InvalidEventError("expected a JSON object")
    return found


async def _bytes(reader: asyncio.StreamReader, head: dict[str, Any], name: str, most: int) -> bytes:
    size = head.get(name) or 0
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= most:
        raise InvalidEventError(f"{name}: expected 0 to {most:,}")
    return await reader.readexactly(size) if size else b""
