"""Answers windows without sound itself: a model that is given nothing says "you".

Applies to any long form. A window without any level needs no model. Nor does one in which a voice
detector hears nothing at all, unless the user switched it off. Knows nothing of engines.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf

import numpy as np
from numpy.typing import NDArray

from quest22.longform.faint import BLOCK_SAMPLES, LEVEL, amplified, level_of
from quest22.protocols import ConfiguredStrategy, LongForm, SpeechProbabilities
from quest22.records import (
    SAMPLE_RATE_HZ,
    VAD_FRAME_SAMPLES,
    Clip,
    Hypothesis,
    Partial,
    Samples,
    Transcript,
    Window,
)

SHORTEST_FRAMES = 3
"""In a row. Clicks and offsets that jump last for one frame of 32 ms or two, a word for more."""

AUDIBLE = 0.2
"""From this probability on a frame may be speech; the default long form cuts at the same."""

Detector = Callable[[], SpeechProbabilities]
Flags = NDArray[np.bool_]


class SoundCheck:
    """Which frames of some audio may be speech, as it comes in.

    ``probabilities`` is a voice detector that has heard nothing yet; None: level alone counts.
    """

    def __init__(self, probabilities: SpeechProbabilities | None = None) -> None:
        self._probabilities = probabilities
        self._pending = np.empty(0, np.float32)
        self._levels = bytearray()
        self._speech = bytearray()

    def add(self, samples: Samples) -> None:
        """Take the next block, ``[samples]``."""
        self._pending = np.concatenate((self._pending, samples))
        while len(self._pending) >= BLOCK_SAMPLES:
            self._take(self._pending[:BLOCK_SAMPLES])
            self._pending = self._pending[BLOCK_SAMPLES:]

    def end(self) -> None:
        """The audio has ended."""
        self._take(self._pending)
        if self._probabilities is not None:
            self._speech += (self._probabilities.flush() >= AUDIBLE).tobytes()

    def _take(self, samples: Samples) -> None:
        rest = len(samples) % VAD_FRAME_SAMPLES
        whole = samples[: len(samples) - rest].reshape(-1, VAD_FRAME_SAMPLES)
        self._levels += _have_level(whole).tobytes()
        if rest:
            self._levels += _have_level(samples[np.newaxis, -rest:]).tobytes()
        if self._probabilities is not None:
            heard = self._probabilities.feed(amplified(samples, level_of(samples)))
            self._speech += (heard >= AUDIBLE).tobytes()

    def is_empty(self, start: int, stop: int) -> bool:
        """Whether there is certainly no word in a span, in samples, whose frames are known."""
        frames = slice(start // VAD_FRAME_SAMPLES, -(-stop // VAD_FRAME_SAMPLES))
        checks = [self._levels] if self._probabilities is None else [self._levels, self._speech]
        return any(_longest_run(flags[frames]) < SHORTEST_FRAMES for flags in checks)


def _have_level(frames: NDArray[np.float32]) -> Flags:
    """Whether frames, ``[frames, samples]``, have a level apart from an offset and its drift."""
    sound = frames - frames.mean(axis=1, keepdims=True)
    places = np.arange(frames.shape[1], dtype=np.float32)
    places -= places.mean()
    # Not by BLAS, which ends the process where memory for its buffers is missing.
    slopes = np.einsum("fs,s->f", sound, places) / max(float(np.sum(places * places)), 1.0)
    flags: Flags = np.abs(sound - np.outer(slopes, places)).max(axis=1, initial=0.0) > LEVEL
    return flags


def _longest_run(flags: bytes | bytearray) -> int:
    edges = np.flatnonzero(np.diff(np.frombuffer(flags, np.bool_), prepend=False, append=False))
    return int((edges[1::2] - edges[::2]).max(initial=0))


class SoundlessStrategy:
    """Opens a :class:`SoundlessClip` around each clip of another strategy.

    ``detector`` opens a voice detector; None: only windows without any level are answered.
    ``of_features``: windows come with features instead of samples.
    """

    def __init__(
        self, inner: ConfiguredStrategy, detector: Detector | None, *, of_features: bool
    ) -> None:
        self._inner = inner
        self._detector = detector
        self._of_features = of_features

    def open(self, clip: Clip) -> SoundlessClip:
        inner = self._inner.open(clip)
        return SoundlessClip(inner, self._detector, of_features=self._of_features)


class SoundlessClip:
    """One clip; see :class:`quest22.protocols.LongForm`.

    Windows that come with features instead of samples are judged by the audio at their place, which
    their long form has been fed at least 10 s beyond.
    """

    def __init__(self, inner: LongForm, detector: Detector | None, *, of_features: bool) -> None:
        self._inner = inner
        self._detector = detector
        self._clip = self._new_check() if of_features else None

    def feed(self, samples: Samples) -> list[Window]:
        """Take the next block of audio, ``[samples]``; return the windows with sound."""
        if self._clip is not None:
            self._clip.add(samples)
        return self._with_sound(self._inner.feed(samples))

    def flush(self) -> list[Window]:
        """Return the last windows; raises as the inner long form does."""
        if self._clip is not None:
            self._clip.end()
        return self._with_sound(self._inner.flush())

    def add_result(self, window: Window, hypothesis: Hypothesis) -> list[Window]:
        """Take a window's hypothesis; return the windows that waited for it and have sound."""
        return self._with_sound(self._inner.add_result(window, hypothesis))

    @property
    def wants_audio(self) -> bool:
        return self._inner.wants_audio

    @property
    def finished(self) -> bool:
        return self._inner.finished

    def partial(self) -> Partial:
        return self._inner.partial()

    def close(self) -> Transcript:
        return self._inner.close()

    def _new_check(self) -> SoundCheck:
        return SoundCheck(None if self._detector is None else self._detector())

    def _with_sound(self, windows: list[Window]) -> list[Window]:
        """The windows that a model must hear; the others are answered, and what follows them."""
        heard: list[Window] = []
        waiting = deque(windows)
        while waiting:
            window = waiting.popleft()
            if self._is_empty(window):
                waiting.extendleft(reversed(self._inner.add_result(window, silence(window))))
            else:
                heard.append(window)
        return heard

    def _is_empty(self, window: Window) -> bool:
        if self._clip is not None:
            start = round(window.start_s * SAMPLE_RATE_HZ)
            stop = start + round(window.duration_s * SAMPLE_RATE_HZ)
            return self._clip.is_empty(start, stop)
        check = self._new_check()
        check.add(window.samples)
        check.end()
        return check.is_empty(0, len(window.samples))


def silence(window: Window) -> Hypothesis:
    """What a window without sound says: nothing, in no language unless one is given."""
    language = window.decoding.language
    return Hypothesis(
        tokens=(),
        language=language,
        language_probability=0.0 if language is None else 1.0,
        avg_logprob=-inf,
        no_speech_prob=1.0,
        temperature=window.decoding.temperature,
    )
