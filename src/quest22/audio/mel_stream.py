"""Computes the log-mel frames of a clip as its blocks arrive.

openai/whisper computes the features of a whole recording, followed by 30 s of silence, and cuts
windows out of them. This gives the same frames block by block: a frame that extends past a block
waits for the next one. Normalisation needs the loudest frame and is left to the caller.
"""

from __future__ import annotations

import numpy as np

from quest22.audio.log_mel import LogMel
from quest22.audio.mel_backends import CHUNK_FRAMES, FFT_SAMPLES, HOP_SAMPLES, Features
from quest22.records import Samples

EDGE = FFT_SAMPLES // 2


class LogMelStream:
    """A :class:`quest22.protocols.FrameStream`; holds a few seconds of audio."""

    def __init__(self, mel: LogMel) -> None:
        self._mel = mel
        self._pending = np.empty(0, np.float32)
        self._started = False
        self._samples = 0
        self._frames = 0

    def feed(self, samples: Samples) -> Features:
        self._samples += len(samples)
        self._append(samples)
        complete = max(len(self._pending) - FFT_SAMPLES + HOP_SAMPLES, 0) // HOP_SAMPLES
        return self._take(complete // CHUNK_FRAMES * CHUNK_FRAMES if self._started else 0)

    def flush(self) -> Features:
        self._append(np.zeros(2 * FFT_SAMPLES, np.float32))
        return self._take(self._samples // HOP_SAMPLES - self._frames)

    def _append(self, samples: Samples) -> None:
        self._pending = np.concatenate([self._pending, samples])
        if not self._started and len(self._pending) > EDGE:
            reflected = self._pending[EDGE:0:-1]
            self._pending = np.concatenate([reflected, self._pending])
            self._started = True

    def _take(self, count: int) -> Features:
        """The next ``count`` frames; drops the samples that later frames do not need."""
        self._frames += count
        reach = (count - 1) * HOP_SAMPLES + FFT_SAMPLES
        features = self._mel.frames(self._pending[:reach])
        self._pending = self._pending[count * HOP_SAMPLES :]
        return features
