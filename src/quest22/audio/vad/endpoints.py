"""Where speech begins and ends, from the probability of each frame. Knows no sound.

The rules are those of Silero's and faster-whisper's ``get_speech_timestamps``. Speech begins with a
frame at or above ``threshold``. It ends where frames fall below ``neg_threshold`` and
``min_silence`` passes before one reaches ``threshold`` again. Speech that grows longer than
``max_speech`` is cut at its last pause of about 100 ms or more, or right there if it has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import NamedTuple

import numpy as np

from quest22.audio.vad.silero.model import FRAME_SAMPLES
from quest22.errors import UsageError
from quest22.records import SAMPLE_RATE_HZ
from quest22.settings import LongFormSettings, VadSettings

SAMPLES_PER_MS = SAMPLE_RATE_HZ // 1000
SHORTEST_PAUSE = 98 * SAMPLES_PER_MS

PACKED_SILENCE_MS = 160
FILTERED_SILENCE_MS = 2000
"""faster-whisper's: of its batched pipeline, and of its sequential one."""


class Span(NamedTuple):
    """A stretch of speech: samples from ``start`` to before ``end``."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class EndpointRules:
    """Two probabilities, and lengths in samples; ``pad`` is kept on each side of speech."""

    threshold: float = 0.5
    neg_threshold: float = 0.35
    min_speech: int = 0
    max_speech: float = inf
    min_silence: int = FILTERED_SILENCE_MS * SAMPLES_PER_MS
    pad: int = 400 * SAMPLES_PER_MS

    @classmethod
    def of(cls, voice: VadSettings, longform: LongFormSettings) -> EndpointRules:
        """What settings mean where stretches are packed into windows, or strung together.

        Raises :class:`UsageError` where speech could be no longer than its padding.
        """
        packed = longform.long_form == "chunked"
        longest_s = inf if voice.vad_max_speech_duration_s is None else (
            voice.vad_max_speech_duration_s
        )  # fmt: skip
        longest_s = min(longest_s, longform.chunk_length_s) if packed else longest_s
        silence_ms = voice.vad_min_silence_duration_ms
        if silence_ms is None:
            silence_ms = PACKED_SILENCE_MS if packed else FILTERED_SILENCE_MS
        pad = voice.vad_speech_pad_ms * SAMPLES_PER_MS
        longest = SAMPLE_RATE_HZ * longest_s - FRAME_SAMPLES - 2 * pad
        if longest < FRAME_SAMPLES:
            raise UsageError(
                f"speech of at most {longest_s} s leaves nothing between paddings of "
                f"{voice.vad_speech_pad_ms} ms: expected a smaller --vad-speech-pad-ms"
            )
        negative = voice.vad_neg_threshold
        return cls(
            threshold=voice.vad_threshold,
            neg_threshold=max(voice.vad_threshold - 0.15, 0.01) if negative is None else negative,
            min_speech=voice.vad_min_speech_duration_ms * SAMPLES_PER_MS,
            max_speech=longest,
            min_silence=silence_ms * SAMPLES_PER_MS,
            pad=pad,
        )


class Endpointer:
    """Takes probabilities frame by frame; gives stretches of speech as they end, unpadded.

    Thresholds are rounded to float32, as which the probabilities come.
    """

    def __init__(self, rules: EndpointRules) -> None:
        self._rules = rules
        self._loud = float(np.float32(rules.threshold))
        self._quiet = float(np.float32(rules.neg_threshold))
        self._frames = 0
        self._quiet_from: int | None = None
        self._pause_from: int | None = None
        self._resumed_at: int | None = None
        self.start: int | None = None

    @property
    def position(self) -> int:
        """Samples that were looked at."""
        return self._frames * FRAME_SAMPLES

    @property
    def certain(self) -> int:
        """Up to here the speech that is going on cannot be taken back, if it is long enough."""
        if self._pause_from is not None and self._rules.max_speech < inf:
            return self._pause_from
        return self.position if self._quiet_from is None else self._quiet_from

    def take(self, probability: float) -> list[Span]:
        """The next frame; gives the stretches that it ends, mostly none."""
        at = self.position
        self._frames += 1
        if probability >= self._loud:
            self._resume(at)
            if self.start is None:
                self.start = at
                return []
        ended = self._cut_if_too_long(at)
        if self.start is not None and probability < self._quiet:
            ended += self._end_if_quiet_for_long(at)
        return ended

    def finish(self, total: int) -> list[Span]:
        """The sound has ended after ``total`` samples."""
        return [] if self.start is None else self._end(total)

    def _resume(self, at: int) -> None:
        if self._quiet_from is None:
            return
        self._quiet_from = None
        if self._pause_from is not None and self._resumed_at is None:
            self._resumed_at = at

    def _cut_if_too_long(self, at: int) -> list[Span]:
        """Speech that is cut counts however short it is; after a pause it goes on at its end."""
        if self.start is None or at - self.start <= self._rules.max_speech:
            return []
        cut = Span(self.start, at if self._pause_from is None else self._pause_from)
        self._begin_again(None if self._pause_from is None else self._resumed_at)
        return [cut]

    def _end_if_quiet_for_long(self, at: int) -> list[Span]:
        quiet_from = at if self._quiet_from is None else self._quiet_from
        self._quiet_from = quiet_from
        if at - quiet_from > SHORTEST_PAUSE and self._pause_from != quiet_from:
            self._pause_from, self._resumed_at = quiet_from, None
        return self._end(quiet_from) if at - quiet_from >= self._rules.min_silence else []

    def _end(self, end: int) -> list[Span]:
        start = 0 if self.start is None else self.start
        self._begin_again(None)
        return [Span(start, end)] if end - start > self._rules.min_speech else []

    def _begin_again(self, start: int | None) -> None:
        self.start = start
        self._quiet_from = self._pause_from = self._resumed_at = None
