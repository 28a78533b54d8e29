"""A long form that is given nothing but speech. Knows neither how it is found nor how it is heard.

Wraps the machine of another strategy: that one is fed the stretches that hold speech, strung
together, and its transcript gets the clip's own times back. What was left out is recorded in the
transcript.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from quest22.longform.speech_timeline import SpeechTimeline
from quest22.protocols import LongForm, SpeechDetector, Strategy
from quest22.records import (
    SAMPLE_RATE_HZ,
    Clip,
    Hypothesis,
    Samples,
    SpeechChunk,
    Transcript,
    Window,
)


@dataclass(frozen=True, slots=True)
class VadFilterOptions:
    """How speech is handed on.

    ``whole_stretches``: each in one block, for windows that are packed of them. Clips of up to
    ``whole_clip`` samples stay as they are if anybody speaks in them. ``language`` is what a clip
    without speech is said to be in.
    """

    whole_stretches: bool
    whole_clip: int = 0
    language: str | None = None


class VadFilteredStrategy:
    """Opens a :class:`VadFilteredClip` around each clip of another strategy."""

    def __init__(
        self, inner: Strategy, detector: Callable[[], SpeechDetector], voicing: VadFilterOptions
    ) -> None:
        self._inner = inner
        self._detector = detector
        self._voicing = voicing

    def open(self, clip: Clip) -> VadFilteredClip:
        return VadFilteredClip(clip, self._inner.open(clip), self._detector(), self._voicing)


class VadFilteredClip:
    """One clip between sound and transcript; see :class:`quest22.protocols.LongForm`."""

    def __init__(
        self, clip: Clip, inner: LongForm, detector: SpeechDetector, voicing: VadFilterOptions
    ) -> None:
        self._clip = clip
        self._inner = inner
        self._detector = detector
        self._voicing = voicing
        self._timeline = SpeechTimeline()
        self._fed = 0
        self._held: list[Samples] | None = [] if voicing.whole_clip else None
        self._found: list[SpeechChunk] = []
        self._stretch: list[Samples] = []
        self._flushed = False

    def feed(self, samples: Samples) -> list[Window]:
        """Take the next block of sound, ``[samples]``; give the windows that are complete."""
        self._fed += len(samples)
        self._found += self._detector.feed(samples)
        if self._held is not None:
            self._held.append(samples)
            if self._fed <= self._voicing.whole_clip:
                return []
            self._held = None
        return self._hand_on()

    def flush(self) -> list[Window]:
        """Give the last windows. Raises :class:`quest22.errors.ClipError` where no sound came."""
        self._flushed = True
        if not self._fed:
            return self._inner.flush()
        self._found += self._detector.flush()
        if self._held is not None and self._found:
            self._found = [SpeechChunk(np.concatenate(self._held), 0, last=True)]
        self._held = None
        windows = self._hand_on()
        return [*windows, *self._inner.flush()] if self._timeline else windows

    def add_result(self, window: Window, hypothesis: Hypothesis) -> list[Window]:
        """Take a window's hypothesis; give the windows that waited for it."""
        return self._inner.add_result(window, hypothesis)

    @property
    def wants_audio(self) -> bool:
        return self._inner.wants_audio

    @property
    def finished(self) -> bool:
        return self._flushed and (not self._timeline or self._inner.finished)

    def close(self) -> Transcript:
        """The inner machine's transcript in the clip's own times; an empty one without speech."""
        duration_s = self._fed / SAMPLE_RATE_HZ
        silences = tuple(self._timeline.silences(self._fed))
        if not self._timeline:
            return replace(self._unspoken(duration_s), dropped=silences)
        heard = self._inner.close()
        dropped = (*silences, *(self._timeline.dropped(each) for each in heard.dropped))
        return replace(
            heard,
            duration_s=duration_s,
            segments=tuple(self._timeline.segment(each) for each in heard.segments),
            dropped=tuple(sorted(dropped, key=lambda each: each.start_s)),
        )

    def _hand_on(self) -> list[Window]:
        """Feed what was found to the inner machine."""
        windows: list[Window] = []
        for piece in self._found:
            self._timeline.add(piece.start, len(piece.samples))
            self._stretch.append(piece.samples)
            if piece.last or not self._voicing.whole_stretches:
                windows += self._inner.feed(np.concatenate(self._stretch))
                self._stretch = []
        self._found = []
        return windows

    def _unspoken(self, duration_s: float) -> Transcript:
        language = self._voicing.language
        return Transcript(
            key=self._clip.key,
            name=self._clip.name,
            text="",
            language=language,
            language_probability=0.0 if language is None else 1.0,
            duration_s=duration_s,
            segments=(),
            origin=self._clip.origin,
            reference=self._clip.reference,
            columns=self._clip.columns,
        )
