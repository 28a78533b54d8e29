"""Applies another long form to speech only.

Knows neither how speech is detected nor how it is transcribed. The inner long form is fed the
speech spans, joined end to end, and its times are mapped back to the clip. Skipped audio is
recorded in the transcript.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import takewhile

import numpy as np

from quest22.longform.pause_splitting import outside, split_at_pauses
from quest22.longform.speech_timeline import SpeechTimeline
from quest22.longform.transcript import build_transcript
from quest22.longform.window_passes import Vocabulary
from quest22.protocols import ConfiguredStrategy, LongForm, SpeechDetector
from quest22.records import (
    SAMPLE_RATE_HZ,
    Clip,
    Hypothesis,
    Partial,
    Samples,
    Segment,
    SpeechChunk,
    Transcript,
    Window,
)

TIME_STEP_S = 0.01
"""Times are rounded to this."""


@dataclass(frozen=True, slots=True)
class VadFilterOptions:
    """How speech is passed on.

    ``whole_spans``: each span in one block, for windows that consist of whole spans. Clips of up to
    ``whole_clip`` samples are not cut if they contain speech. ``language`` is that of a clip
    without speech. ``keep_words``: words are asked for, not only needed to place segments.
    """

    vocabulary: Vocabulary
    whole_spans: bool
    keep_words: bool = True
    whole_clip: int = 0
    language: str | None = None


class VadFilteredStrategy:
    """Opens a :class:`VadFilteredClip` around each clip of another strategy."""

    def __init__(
        self,
        inner: ConfiguredStrategy,
        detector: Callable[[], SpeechDetector],
        options: VadFilterOptions,
    ) -> None:
        self._inner = inner
        self._detector = detector
        self._options = options

    def open(self, clip: Clip) -> VadFilteredClip:
        return VadFilteredClip(clip, self._inner.open(clip), self._detector(), self._options)


class VadFilteredClip:
    """One clip; see :class:`quest22.protocols.LongForm`."""

    def __init__(
        self, clip: Clip, inner: LongForm, detector: SpeechDetector, options: VadFilterOptions
    ) -> None:
        self._clip = clip
        self._inner = inner
        self._detector = detector
        self._options = options
        self._timeline = SpeechTimeline()
        self._samples_fed = 0
        self._whole: list[Samples] | None = [] if options.whole_clip else None
        self._speech: list[SpeechChunk] = []  # detected, not passed on yet
        self._span: list[Samples] = []
        self._flushed = False

    def feed(self, samples: Samples) -> list[Window]:
        """Take the next block of audio, ``[samples]``; return the complete windows."""
        self._samples_fed += len(samples)
        self._speech += self._detector.feed(samples)
        if self._whole is not None:
            self._whole.append(samples)
            if self._samples_fed <= self._options.whole_clip:
                return []
            self._whole = None
        return self._hand_on()

    def flush(self) -> list[Window]:
        """Return the last windows. Raises :class:`quest22.errors.ClipError` without any audio."""
        self._flushed = True
        if not self._samples_fed:
            return self._inner.flush()
        self._speech += self._detector.flush()
        if self._whole is not None and self._speech:
            self._speech = [SpeechChunk(np.concatenate(self._whole), 0, last=True)]
        self._whole = None
        windows = self._hand_on()
        return [*windows, *self._inner.flush()] if self._timeline else windows

    def add_result(self, window: Window, hypothesis: Hypothesis) -> list[Window]:
        """Take a window's hypothesis; return the windows that waited for it."""
        return self._inner.add_result(window, hypothesis)

    @property
    def wants_audio(self) -> bool:
        return self._inner.wants_audio

    @property
    def finished(self) -> bool:
        return self._flushed and (not self._timeline or self._inner.finished)

    def partial(self) -> Partial:
        """The inner long form's, in the clip's own times.

        A segment is committed once more speech follows it: a time at the end of the speech so far
        may turn out to be the start of the next span.
        """
        if not self._timeline:
            return Partial()
        inner = self._inner.partial()
        known_s = self._timeline.total / SAMPLE_RATE_HZ
        committed = [*takewhile(lambda each: self._lies_before(each, known_s), inner.committed)]
        rest = "".join(each.text for each in inner.committed[len(committed) :])
        return Partial(tuple(self._placed(committed)), rest + inner.interim)

    def close(self) -> Transcript:
        """The inner transcript in the clip's own times; an empty one without speech."""
        duration_s = self._samples_fed / SAMPLE_RATE_HZ
        silences = tuple(self._timeline.silences(self._samples_fed))
        if not self._timeline:
            language = self._options.language
            probability = 0.0 if language is None else 1.0
            return build_transcript(
                self._clip, duration_s, "", (), (language, probability), silences
            )
        inner = self._inner.close()
        segments = tuple(self._placed(inner.segments))
        silences = tuple(outside(silences, segments))
        dropped = (*silences, *(self._timeline.dropped(each) for each in inner.dropped))
        return replace(
            inner,
            duration_s=duration_s,
            segments=segments,
            dropped=tuple(sorted(dropped, key=lambda each: each.start_s)),
        )

    def _placed(self, segments: Iterable[Segment]) -> Iterator[Segment]:
        """Segments in the clip's own times, split where speech was joined over a long silence."""
        timeline, options = self._timeline, self._options
        for segment in map(timeline.segment, segments):
            yield from split_at_pauses(
                segment, timeline.is_apart, options.vocabulary, keep_words=options.keep_words
            )

    def _lies_before(self, segment: Segment, time_s: float) -> bool:
        words = segment.words or ()
        ends = (segment.end_s, *(word.end_s for word in words))
        return self._flushed or max(ends) + TIME_STEP_S < time_s

    def _hand_on(self) -> list[Window]:
        """Feed the detected speech to the inner long form."""
        windows: list[Window] = []
        for chunk in self._speech:
            self._timeline.add(chunk.start, len(chunk.samples))
            self._span.append(chunk.samples)
            if chunk.last or not self._options.whole_spans:
                windows += self._inner.feed(np.concatenate(self._span))
                self._span = []
        self._speech = []
        return windows
