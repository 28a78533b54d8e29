"""Finds where speech starts and ends from the speech probability of each frame.

The rules are those of Silero's and faster-whisper's ``get_speech_timestamps``. Speech starts with a
frame at or above ``threshold``. It ends where frames fall below ``neg_threshold`` and
``min_silence`` passes before one reaches ``threshold`` again. Speech longer than ``max_speech`` is
cut at its last pause of about 100 ms or more, or right there if it has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import NamedTuple

import numpy as np

from quest22.errors import UsageError
from quest22.records import SAMPLE_RATE_HZ, VAD_FRAME_SAMPLES
from quest22.settings import LongFormSettings, VadSettings

SAMPLES_PER_MS = SAMPLE_RATE_HZ // 1000
MIN_PAUSE = 98 * SAMPLES_PER_MS

CHUNKED_SILENCE_MS = 160
FILTERED_SILENCE_MS = 2000
"""Minimum silence in faster-whisper's batched and in its sequential pipeline."""

PAD_MS = 400


class Span(NamedTuple):
    """A span of speech: samples from ``start`` up to but not including ``end``."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class EndpointRules:
    """Thresholds are probabilities, lengths are in samples; ``pad`` is added on both sides."""

    threshold: float = 0.5
    neg_threshold: float = 0.35
    min_speech: int = 0
    max_speech: float = inf
    min_silence: int = FILTERED_SILENCE_MS * SAMPLES_PER_MS
    pad: int = 400 * SAMPLES_PER_MS

    @classmethod
    def of(cls, vad: VadSettings, longform: LongFormSettings) -> EndpointRules:
        """The rules for spans that are packed into windows (chunked) or concatenated (sequential).

        Raises :class:`UsageError` if the longest speech would be no longer than its padding.
        """
        chunked = longform.long_form == "chunked"
        max_speech_s = inf if vad.vad_max_speech_duration_s is None else (
            vad.vad_max_speech_duration_s
        )  # fmt: skip
        max_speech_s = min(max_speech_s, longform.chunk_length_s) if chunked else max_speech_s
        silence_ms = vad.vad_min_silence_duration_ms
        if silence_ms is None:
            silence_ms = CHUNKED_SILENCE_MS if chunked else FILTERED_SILENCE_MS
        pad_ms = PAD_MS if vad.vad_speech_pad_ms is None else vad.vad_speech_pad_ms
        pad = pad_ms * SAMPLES_PER_MS
        max_speech = SAMPLE_RATE_HZ * max_speech_s - VAD_FRAME_SAMPLES - 2 * pad
        if max_speech < VAD_FRAME_SAMPLES:
            raise UsageError(
                f"speech of at most {max_speech_s} s is too short for a padding of "
                f"{pad_ms} ms on each side: expected a smaller --vad-speech-pad-ms"
            )
        neg_threshold = vad.vad_neg_threshold
        return cls(
            threshold=vad.vad_threshold,
            neg_threshold=max(vad.vad_threshold - 0.15, 0.01)
            if neg_threshold is None
            else neg_threshold,
            min_speech=vad.vad_min_speech_duration_ms * SAMPLES_PER_MS,
            max_speech=max_speech,
            min_silence=silence_ms * SAMPLES_PER_MS,
            pad=pad,
        )


class Endpointer:
    """Takes probabilities frame by frame; returns unpadded spans of speech as they end.

    Thresholds are rounded to float32, the type of the probabilities.
    """

    def __init__(self, rules: EndpointRules) -> None:
        self._rules = rules
        self._threshold = float(np.float32(rules.threshold))
        self._neg_threshold = float(np.float32(rules.neg_threshold))
        self._frames = 0
        self._silence_from: int | None = None
        self._pause_from: int | None = None
        self._resumed_at: int | None = None
        self.start: int | None = None

    @property
    def position(self) -> int:
        """The number of samples in the frames so far."""
        return self._frames * VAD_FRAME_SAMPLES

    @property
    def confirmed_until(self) -> int:
        """Up to here the current speech is final, provided that it is long enough."""
        if self._pause_from is not None and self._rules.max_speech < inf:
            return self._pause_from
        return self.position if self._silence_from is None else self._silence_from

    def feed(self, probability: float) -> list[Span]:
        """Take the next frame; return the spans that it ends, mostly none."""
        frame_start = self.position
        self._frames += 1
        if probability >= self._threshold:
            self._resume(frame_start)
            if self.start is None:
                self.start = frame_start
                return []
        ended = self._cut_if_too_long(frame_start)
        if self.start is not None and probability < self._neg_threshold:
            ended += self._end_after_silence(frame_start)
        return ended

    def flush(self, total: int) -> list[Span]:
        """The clip has ended after ``total`` samples."""
        return [] if self.start is None else self._end(total)

    def _resume(self, frame_start: int) -> None:
        if self._silence_from is None:
            return
        self._silence_from = None
        if self._pause_from is not None and self._resumed_at is None:
            self._resumed_at = frame_start

    def _cut_if_too_long(self, frame_start: int) -> list[Span]:
        """Speech that is cut counts however short; after a pause the rest starts at its end."""
        if self.start is None or frame_start - self.start <= self._rules.max_speech:
            return []
        cut = Span(self.start, frame_start if self._pause_from is None else self._pause_from)
        self._reset(None if self._pause_from is None else self._resumed_at)
        return [cut]

    def _end_after_silence(self, frame_start: int) -> list[Span]:
        silence_from = frame_start if self._silence_from is None else self._silence_from
        self._silence_from = silence_from
        if frame_start - silence_from > MIN_PAUSE and self._pause_from != silence_from:
            self._pause_from, self._resumed_at = silence_from, None
        return (
            self._end(silence_from) if frame_start - silence_from >= self._rules.min_silence else []
        )

    def _end(self, end: int) -> list[Span]:
        start = 0 if self.start is None else self.start
        self._reset(None)
        return [Span(start, end)] if end - start > self._rules.min_speech else []

    def _reset(self, start: int | None) -> None:
        self.start = start
        self._silence_from = self._pause_from = self._resumed_at = None
