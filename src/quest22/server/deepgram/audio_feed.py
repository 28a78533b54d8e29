"""Feeds a live session with audio as Deepgram's clients send it over a websocket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from quest22.audio.wav_header import is_wav
from quest22.errors import ClipError
from quest22.runtime.live_session import LiveSession
from quest22.server.deepgram.file_headers import missing_header
from quest22.server.deepgram.parameters import AudioFormat
from quest22.server.live_feed import EncodedFeed, LiveFeed, RawFeed, end_session
from quest22.server.waiting import wait_for_room

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext

WAV_HEADER_BYTES = 12
OGG = b"OggS"
OPUS_HZ = 48_000
MAX_PACKET_BYTES = 61_295
"""An Opus packet has at most 48 frames of 1,275 bytes (RFC 6716, section 3.2)."""


class SniffedFeed:
    """Detects the format from the first bytes.

    Audio that begins as WAV is read as WAV even if the client declared raw samples, because many
    clients send WAV files that way.
    """

    def __init__(
        self, session: LiveSession, audio_format: AudioFormat, channel: int | None
    ) -> None:
        self._session = session
        self._format = audio_format
        self._channel = channel
        self._head = b""
        self._feed: LiveFeed | None = None

    @property
    def error(self) -> ClipError | None:
        """Why the audio could not be decoded, if so."""
        return getattr(self._feed, "error", None)

    async def feed(self, data: bytes) -> bool:
        if self._feed is not None:
            return await self._feed.feed(data)
        self._head += data
        if self._format.raw is not None and len(self._head) < WAV_HEADER_BYTES:
            return True
        return await self._chosen().feed(self._head)

    async def flush(self) -> bool:
        return True if self._feed is None else await self._feed.flush()

    async def end(self) -> None:
        await self._chosen().end()

    def close(self) -> None:
        """Stop decoding."""
        if isinstance(self._feed, EncodedFeed):
            self._feed.close()

    def _chosen(self) -> LiveFeed:
        if self._feed is None:
            self._feed = self._choose()
        return self._feed

    def _choose(self) -> LiveFeed:
        raw, encoding = self._format.raw, self._format.encoding
        if not self._head:
            return _EmptyFeed(self._session)
        if raw is not None and not is_wav(self._head):
            return RawFeed(self._session, raw, self._channel)
        if encoding == "opus" and not self._head.startswith(OGG):
            return OpusPacketFeed(self._session)
        self._head = missing_header(self._format, self._head) + self._head
        return EncodedFeed(self._session, self._session.key, self._channel)


class OpusPacketFeed:
    """Decodes Opus without a container: each message is one packet."""

    def __init__(self, session: LiveSession) -> None:
        self._session = session
        self._decoder: AudioCodecContext | None = None
        self.error: ClipError | None = None

    async def feed(self, data: bytes) -> bool:
        try:
            samples = self._decoded(data)
        except ClipError as exc:
            self.error = exc
            return False
        await wait_for_room(self._session)
        return self._session.feed(samples, OPUS_HZ)

    async def flush(self) -> bool:
        return True

    async def end(self) -> None:
        await end_session(self._session)

    def _decoded(self, data: bytes) -> NDArray[Any]:
        """The packet's samples, ``[samples, channels]`` at 48 kHz."""
        import av

        if len(data) > MAX_PACKET_BYTES:
            raise ClipError("audio", f"{len(data):,} bytes are not an Opus packet")
        if self._decoder is None:
            self._decoder = av.CodecContext.create("opus", "r")
            self._decoder.layout = "mono"
            self._decoder.sample_rate = OPUS_HZ
        try:
            frames = self._decoder.decode(av.Packet(data))
        except (av.error.FFmpegError, ValueError) as exc:
            raise ClipError("audio", "a message is not an Opus packet: send one each") from exc
        values = [frame.to_ndarray().reshape(-1, 1) for frame in frames]
        return np.concatenate(values) if values else np.zeros((0, 1), np.float32)


class _EmptyFeed:
    """Used if no audio arrives at all."""

    def __init__(self, session: LiveSession) -> None:
        self._session = session

    async def feed(self, _: bytes) -> bool:
        return True

    async def flush(self) -> bool:
        return True

    async def end(self) -> None:
        await end_session(self._session)
