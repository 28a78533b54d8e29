"""Live sessions without a model: who speaks is seen by the samples, and words are seconds."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from quest22.errors import EngineError
from quest22.protocols import ConfiguredStrategy
from quest22.records import (
    SAMPLE_RATE_HZ,
    Clip,
    DecodingOptions,
    Hypothesis,
    LiveEvent,
    LiveEventType,
    LiveWord,
    Partial,
    Samples,
    Transcript,
    Window,
)
from quest22.settings.clip_options import ClipOptions

STEP_S = 0.5
SILENCE_S = 0.3
BAD = 0.75
"""Speech of this level makes the window fail that holds it."""


def speech(seconds: float, level: float = 0.5) -> Samples:
    return np.full(round(seconds * SAMPLE_RATE_HZ), level, np.float32)


def silence(seconds: float) -> Samples:
    return speech(seconds, 0.0)


@dataclass
class FakeLive:
    """A :class:`quest22.protocols.LiveLongForm` of samples that are speech where they are not 0.

    A segment's text is how long it is, in tenths of a second. Half of it is committed by a preview.
    """

    clip: Clip
    end: int = 0
    unheard: int = 0
    quiet: int = 0
    begun: int | None = None
    segment: int = 0
    revision: int = 0
    committed: str = ""
    bad: bool = False
    running: int = 0
    previewing: bool = False
    flushed: bool = False
    finals: list[str] = field(default_factory=list)
    events: list[LiveEvent] = field(default_factory=list)
    given: int = 0
    windows: dict[int, tuple[int, int, bool]] = field(default_factory=dict)

    wants_audio = True

    def feed(self, samples: Samples) -> list[Window]:
        ready: list[Window] = []
        for start in range(0, len(samples), 160):
            ready += self._hear(samples[start : start + 160])
        return ready

    def _hear(self, samples: Samples) -> list[Window]:
        self.end += len(samples)
        if samples[0]:
            self.begun = self.end - len(samples) if self.begun is None else self.begun
            self.unheard += len(samples)
            self.quiet = 0
            self.bad |= bool(samples[0] == BAD)
            return []
        self.quiet += len(samples)
        return self.commit() if self.quiet >= SILENCE_S * SAMPLE_RATE_HZ else []

    def commit(self) -> list[Window]:
        return [] if self.begun is None else [self._window(interim=False)]

    def flush(self) -> list[Window]:
        self.flushed = True
        return self.commit()

    def preview(self) -> Window | None:
        if self.begun is None or self.previewing or self.unheard < STEP_S * SAMPLE_RATE_HZ:
            return None
        self.previewing = True
        return self._window(interim=True)

    def _window(self, *, interim: bool) -> Window:
        assert self.begun is not None
        level = BAD if self.bad else 0.5
        samples = np.array([level], np.float32)
        start, self.unheard, self.given = self.begun, 0, self.given + 1
        self.running += 1
        self.windows[self.given] = (self.segment, self.end - self.quiet, interim)
        if not interim:
            self.begun, self.bad, self.quiet = None, False, 0
            self.segment += 1
        start_s = start / SAMPLE_RATE_HZ
        return Window(samples, start_s, DecodingOptions(), self.given, interim=interim)

    def add_result(self, window: Window, hypothesis: Hypothesis) -> list[Window]:
        segment, end, interim = self._answered(window)
        if interim and segment < self.segment:
            return []
        text = f"{round(10 * (end / SAMPLE_RATE_HZ - window.start_s))}"
        kind: LiveEventType = "interim" if interim else "final"
        if interim and self.revision % 2:
            kind, self.committed = "committed", text
        self._tell(kind, segment, text, window.start_s, end / SAMPLE_RATE_HZ)
        return []

    def add_failure(self, window: Window, reason: str) -> list[Window]:
        segment, end, interim = self._answered(window)
        if not interim:
            end_s = end / SAMPLE_RATE_HZ
            self._tell("final", segment, self.committed, window.start_s, end_s)
        return []

    def _answered(self, window: Window) -> tuple[int, int, bool]:
        self.running -= 1
        segment, end, interim = self.windows.pop(window.index)
        self.previewing &= not interim
        return segment, end, interim

    def _tell(
        self, kind: LiveEventType, segment: int, text: str, start_s: float, end_s: float
    ) -> None:
        words = (LiveWord(start_s, end_s, text, 1.0, kind != "interim"),) if text else ()
        heard_s = self.end / SAMPLE_RATE_HZ
        self.events.append(LiveEvent(kind, segment, self.revision, text, words, heard_s, "en"))
        self.revision += 1
        if kind == "final":
            self.revision, self.committed = 0, ""
            self.finals.append(text)

    def take_events(self) -> list[LiveEvent]:
        events, self.events = self.events, []
        return events

    @property
    def unheard_s(self) -> float:
        return self.unheard / SAMPLE_RATE_HZ

    @property
    def finished(self) -> bool:
        return self.flushed and not self.running

    def partial(self) -> Partial:
        return Partial()

    def close(self) -> Transcript:
        clip, text = self.clip, " ".join(filter(None, self.finals))
        seconds = self.end / SAMPLE_RATE_HZ
        return Transcript(clip.key, clip.name, text, "en", 1.0, seconds, (), clip.origin)


class FakeLiveStrategy:
    """Opens live sessions only."""

    def configured(self, options: ClipOptions | None = None) -> ConfiguredStrategy:
        return self

    def open(self, clip: Clip, options: ClipOptions | None = None) -> FakeLive:
        return FakeLive(clip)


def refuse_bad(windows: list[Window]) -> None:
    """What an engine does that fails on some sound."""
    if any(window.samples[0] == np.float32(BAD) for window in windows):
        raise EngineError("the engine stumbled")
