"""Feeds a live session with audio from a socket: raw samples, or any container.

``feed`` waits while the session has no room. The socket is then not read, so the client has to wait
too: nothing is dropped, and nothing accumulates.
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
from quest22.server.waiting import wait_for_room, wait_until

MAX_UNDECODED_BYTES = 1 << 18
"""Limit of encoded bytes waiting to be decoded."""

MERGED_BYTES = 1 << 12
"""Waiting pieces are merged up to this size, so that a flood of tiny ones takes no more memory."""

PIECE_BYTES = 1 << 14


class LiveFeed(Protocol):
    """Accepts the bytes of a client's audio."""

    async def feed(self, data: bytes) -> bool:
        """Feed the next bytes, waiting for room; False if no more are needed."""
        ...

    async def flush(self) -> bool:
        """Pass on buffered bytes; False if no more are needed."""
        ...

    async def end(self) -> None:
        """End the audio and finalize what was said."""
        ...


async def flush_session(session: LiveSession) -> None:
    """Finalize what was said so far.

    Runs in a thread, because a decoder thread may hold the session's lock for a moment, but waits
    for room first, because a full session would occupy one of the few threads.
    """
    await wait_for_room(session)
    await asyncio.to_thread(session.flush)


async def end_session(session: LiveSession) -> None:
    """End a session that only this task feeds."""
    await wait_for_room(session)
    session.end()


class RawFeed:
    """Feeds raw samples, split anywhere.

    Channels are mixed unless ``channel`` selects one. Less than 10 ms waits for more, so that a
    flood of tiny pieces costs little.
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
        """Pass on buffered bytes."""
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
        with suppress(UsageError, ClipError):  # the session ends even if the rest is invalid
            await self.flush()
        await end_session(self._session)

    async def _feed_piece(self, data: bytes) -> bool:
        samples = self._raw.values(data)[self._channels].T
        await wait_for_room(self._session)
        return self._session.feed(samples, self._raw.rate_hz)


class EncodedFeed:
    """Decodes a container, detected from its first bytes, in a thread of its own.

    Channels are mixed unless ``channel`` selects one. ``error`` is set at the end if the audio
    could not be decoded.
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
        await wait_for_room(self._pipe)
        return self._pipe.put(data)

    async def flush(self) -> bool:
        """Nothing to do: only incomplete packets wait."""
        return not self._pipe.closed

    async def end(self) -> None:
        self.close()
        await wait_until(lambda: not self._thread.is_alive())

    def close(self) -> None:
        """End the input; the thread stops after decoding the rest."""
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
    """A bounded byte pipe between threads; a ``ByteStream`` of :mod:`quest22.capture`."""

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
