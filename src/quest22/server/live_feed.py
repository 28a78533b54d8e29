"""Sound that comes from a socket into a live session: raw samples, or any container.

``feed`` waits while the session has no room, and so does whoever reads the socket, and so does the
client: nothing is dropped, and nothing piles up.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from contextlib import suppress
from typing import Protocol

from quest22.capture.blocks import live_blocks
from quest22.capture.decoding import decoded
from quest22.capture.raw_pcm import RawFormat
from quest22.errors import ClipError, UsageError
from quest22.runtime.live_session import LiveSession
from quest22.server.waiting import room_in, until

MAX_UNDECODED_BYTES = 1 << 18
"""Encoded bytes that wait to be decoded."""

MERGED_BYTES = 1 << 12
"""Pieces that wait become one up to this length: a flood of tiny ones takes no more room."""

PIECE_BYTES = 1 << 14


class LiveFeed(Protocol):
    """Takes the bytes of a client's sound."""

    async def feed(self, data: bytes) -> bool:
        """Take the next bytes, once there is room; False if no more are needed."""
        ...

    async def flush(self) -> bool:
        """Pass on what waits for more; False if no more is needed."""
        ...

    async def end(self) -> None:
        """No more will come: what was said becomes final."""
        ...


async def flush_session(session: LiveSession) -> None:
    """Make final what was said so far, once there is room.

    In a thread, as one that decodes may hold the session for a moment; not before there is room, as
    threads are few and a full session would keep one.
    """
    await room_in(session)
    await asyncio.to_thread(session.flush)


async def end_session(session: LiveSession) -> None:
    """End a session that only this task feeds, once there is room."""
    await room_in(session)
    session.end()


class RawFeed:
    """Raw samples: a frame may be cut anywhere between two pieces.

    Channels are mixed, unless ``channel`` is one of them. Pieces shorter than 10 ms wait for the
    next, so that a flood of tiny ones costs little.
    """

    def __init__(self, session: LiveSession, raw: RawFormat, channel: int | None = None) -> None:
        self._session = session
        self._raw = raw
        self._channels = slice(None) if channel is None else slice(channel, channel + 1)
        self._least = raw.rate_hz // 100 * raw.frame_bytes
        self._rest = b""

    async def feed(self, data: bytes) -> bool:
        data = self._rest + data
        if len(data) < self._least:
            self._rest = data
            return True
        return await self._feed_frames(data)

    async def flush(self) -> bool:
        """Pass on what waits for more."""
        return await self._feed_frames(self._rest)

    async def _feed_frames(self, data: bytes) -> bool:
        whole = len(data) - len(data) % self._raw.frame_bytes
        self._rest = data[whole:]
        step = PIECE_BYTES - PIECE_BYTES % self._raw.frame_bytes
        for start in range(0, whole, step):
            if not await self._feed_piece(data[start : min(start + step, whole)]):
                return False
        return True

    async def end(self) -> None:
        with suppress(UsageError, ClipError):  # the session ends, whatever the rest is
            await self.flush()
        await end_session(self._session)

    async def _feed_piece(self, data: bytes) -> bool:
        samples = self._raw.values(data)[self._channels].T
        await room_in(self._session)
        return self._session.feed(samples, self._raw.rate_hz)


class EncodedFeed:
    """A container, recognised by its first bytes, decoded in a thread of its own as it comes.

    Channels are mixed, unless ``channel`` is one of them. ``error`` is what was wrong with it, once
    the sound has ended.
    """

    def __init__(self, session: LiveSession, name: str, channel: int | None = None) -> None:
        self._session = session
        self._channel = channel
        self._pipe = _BytePipe(MAX_UNDECODED_BYTES)
        self.error: ClipError | None = None
        self._thread = threading.Thread(target=self._decode, args=(name,), daemon=True)
        self._thread.start()

    async def feed(self, data: bytes) -> bool:
        for start in range(0, len(data), PIECE_BYTES):
            if not await self._put(data[start : start + PIECE_BYTES]):
                return False
        return True

    async def _put(self, data: bytes) -> bool:
        await room_in(self._pipe)
        return self._pipe.put(data)

    async def flush(self) -> bool:
        """Nothing waits here, except for the rest of its packet."""
        return not self._pipe.closed

    async def end(self) -> None:
        self.close()
        await until(lambda: not self._thread.is_alive())

    def close(self) -> None:
        """No more will come: the thread ends behind what is there."""
        self._pipe.close()

    def _decode(self, name: str) -> None:
        try:
            pieces = decoded(self._pipe, None, name, notify=lambda _: None)
            for block in live_blocks(pieces, self._channel):
                if not self._session.feed(block):
                    break
        except ClipError as exc:
            self.error = exc
        except UsageError as exc:
            self.error = ClipError("audio", str(exc))
        finally:
            self._pipe.close()
            self._session.end()


class _BytePipe:
    """Bytes from one thread to another, bounded; a ``ByteStream`` of :mod:`quest22.capture`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._changed = threading.Condition()
        self._parts: deque[bytearray] = deque()
        self._held = 0
        self._closed = False

    @property
    def has_room(self) -> bool:
        return self._held < self._most or self._closed

    @property
    def closed(self) -> bool:
        return self._closed

    def put(self, data: bytes) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self.has_room)
            if self._closed:
                return False
            if self._parts and len(self._parts[-1]) < MERGED_BYTES:
                self._parts[-1] += data
            else:
                self._parts.append(bytearray(data))
            self._held += len(data)
            self._changed.notify_all()
        return True

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def read(self, size: int) -> bytes:
        with self._changed:
            self._changed.wait_for(lambda: self._parts or self._closed)
            if not self._parts:
                return b""
            data = self._parts.popleft()
            if len(data) > size:
                self._parts.appendleft(data[size:])
                data = data[:size]
            self._held -= len(data)
            self._changed.notify_all()
        return bytes(data)
