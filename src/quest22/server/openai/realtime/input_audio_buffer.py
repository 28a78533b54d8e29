"""Decodes the audio of ``input_audio_buffer.append`` events."""

from __future__ import annotations

import base64
import binascii

import numpy as np

from quest22.capture.raw_pcm import RawFormat
from quest22.records import Samples
from quest22.server.openai.realtime.fields import EventError

MAX_AUDIO_BYTES = 15 << 20
"""Of one event, as at OpenAI."""

MAX_BASE64_BYTES = MAX_AUDIO_BYTES * 4 // 3 + 4
"""The same, base64-encoded."""

MIN_PIECE_S = 0.02
"""Shorter audio waits for more, so that a flood of tiny events costs little."""


class InputAudioBuffer:
    """Audio in one format; a sample may be split between two events."""

    def __init__(self, raw: RawFormat) -> None:
        self._raw = raw
        self._least = round(MIN_PIECE_S * raw.rate_hz) * raw.frame_bytes
        self._waiting = bytearray()

    def take(self, text: str) -> Samples:
        """Decode base64 to ``[samples]``, empty until there are enough; raises EventError."""
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as exc:
            raise EventError("audio is not base64", parameter="audio") from exc
        if len(data) > MAX_AUDIO_BYTES:
            raise EventError(
                f"audio has {len(data)} bytes: expected {MAX_AUDIO_BYTES} at most",
                parameter="audio",
            )
        self._waiting += data
        return self.rest() if len(self._waiting) >= self._least else _NOTHING

    def rest(self) -> Samples:
        """The waiting audio, except for an incomplete sample."""
        whole = len(self._waiting) - len(self._waiting) % self._raw.frame_bytes
        data = bytes(self._waiting[:whole])
        del self._waiting[:whole]
        samples: Samples = self._raw.values(data)[0]
        return samples


_NOTHING: Samples = np.zeros(0, np.float32)
