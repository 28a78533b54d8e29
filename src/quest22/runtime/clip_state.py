"""The state of a clip from its first block of audio to its result.

Takes audio as its windows need it. Knows nothing of batches and other clips.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, IntEnum
from typing import Protocol, TypeVar

from quest22.errors import ClipError, Quest22Error, TooLongError, unexpected
from quest22.metrics import Metrics
from quest22.protocols import LiveLongForm, LongForm
from quest22.records import (
    SAMPLE_RATE_HZ,
    Clip,
    Damage,
    Failure,
    Hypothesis,
    LiveEvent,
    Partial,
    ReplayedBatch,
    Samples,
    Transcript,
    Window,
    WindowResult,
)

_log = logging.getLogger(__name__)

Done = TypeVar("Done")

LISTEN_S = 5.0
"""A live clip takes at most this much audio, in seconds, before others have their turn."""

WAITING_FINALS = 2
"""A live clip with this many windows waits for them before it takes more audio."""

MOST_FAILURES = 10
"""A live clip ends when so many of its windows in a row have failed."""


class Priority(IntEnum):
    """Whose windows run first. A live clip has final windows, and may have interim ones."""

    LIVE_FINAL = 0
    LIVE_INTERIM = 1
    INTERACTIVE = 2
    FILE = 3


class Mark(Enum):
    """What a clip's audio may hold between its blocks."""

    COMMIT = "commit"
    """What was said so far is complete: only for live clips."""


class AudioInput(Protocol):
    """A clip's audio, block by block."""

    @property
    def available(self) -> bool:
        """Whether to call ``next_block``: a block or the end is available, or worth a wait."""
        ...

    @property
    def available_since(self) -> float | None:
        """Since when, on the driver's clock; None if that is not known, or nothing is."""
        ...

    def next_block(self) -> Samples | Mark | None:
        """The next block or mark, None at the end. May raise ClipError."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class PulledAudio:
    """Audio that is pulled when needed, such as the blocks of an ``Audio``."""

    blocks: Iterator[Samples]

    available = True
    available_since = None

    def next_block(self) -> Samples | None:
        return next(self.blocks, None)


@dataclass(slots=True, eq=False)
class ClipState:
    """One clip, its audio and its long form; ``number`` identifies it within a driver.

    Of two clips with the same priority, the one with the earlier ``deadline_s`` (on the driver's
    clock) runs first. ``partials``: report its progress. ``contained`` are the errors that end only
    this clip, besides those that nobody foresaw. ``processed_s`` is how much of its audio windows
    have covered; ``damage`` are the places where audio is missing, known at its end.

    A ``live`` clip is one that is still spoken. On the driver's clock, its final windows have
    waited since ``ready_s``. ``served_s`` is when the last results came, None before the first.
    ``last_turn`` numbers its last window among those of all live clips;
    ``failures`` counts windows that failed in a row.
    """

    number: int
    clip: Clip
    sound: AudioInput
    long_form: LongForm
    metrics: Metrics
    priority: Priority = Priority.FILE
    deadline_s: float | None = None
    partials: bool = False
    contained: type[Exception] = ClipError
    ready: deque[Window] = field(default_factory=deque)
    sounding: bool = True
    processed_s: float = 0.0
    result: Transcript | Failure | None = None
    last_extent: tuple[int, str] = (0, "")
    damage: Sequence[Damage] = ()
    live: LiveLongForm | None = field(default=None, init=False)
    ready_s: float = 0.0
    served_s: float | None = None
    last_turn: int = -1
    failures: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.long_form, LiveLongForm):
            self.live = self.long_form

    @property
    def key(self) -> str:
        return self.clip.key

    @property
    def can_take_audio(self) -> bool:
        """Whether the clip can use audio that is available."""
        is_open = self.result is None and self.sounding
        return is_open and self.sound.available and self.long_form.wants_audio

    def listen(self, now: float) -> bool:
        """A live clip takes the audio that is available, so that its windows hold all of it.

        Returns whether there was some.
        """
        waiting, taken = len(self.ready), 0
        while taken < LISTEN_S * SAMPLE_RATE_HZ and self.can_take_audio:
            if len(self.ready) >= WAITING_FINALS:
                break
            taken += self._attempt(self._take_audio) or 1
        if self.ready and not waiting:
            self.ready_s = now
        self._finish_if_done()
        return taken > 0

    @property
    def waits_since(self) -> float | None:
        """Since when this clip could have a window in a batch; None if it has none to give."""
        if self.live is not None:
            return self.ready_s if self.ready else None
        if self.ready:
            return self.served_s
        since = self.sound.available_since if self.can_take_audio else None
        return since if since is None or self.served_s is None else max(since, self.served_s)

    @property
    def unheard_s(self) -> float:
        """Seconds of speech in a live clip that no window has covered yet."""
        return 0.0 if self.live is None or self.result is not None else self.live.unheard_s

    def preview(self) -> Window | None:
        """An interim window of a live clip, of all audio so far; None if none is due."""
        if self.live is None or self.result is not None:
            return None
        return self._attempt(self.live.preview)

    def take_live_events(self) -> list[LiveEvent]:
        """The events of a live clip since the last call, also after its end."""
        return [] if self.live is None else self._attempt(self.live.take_events) or []

    def next_window(self, most_blocks: int | None = None) -> Window | None:
        """The next window that can run now; takes more audio if needed.

        ``most_blocks`` limits how many blocks are taken.
        """
        blocks = 0
        while not self.ready and self.can_take_audio and blocks != most_blocks:
            self._attempt(self._take_audio)
            blocks += 1
        self._finish_if_done()
        return self.ready.popleft() if self.ready else None

    def add_result(self, window: Window, result: WindowResult) -> None:
        """Take the result of a window; windows that waited for it become ready."""
        hypothesis = result.hypothesis
        if self.result is not None:
            return
        if hypothesis is not None:
            self.failures = 0
            self._attempt(lambda: self._add_hypothesis(window, hypothesis))
        elif self.live is not None:
            self._add_failure(self.live, window, result.reason)
        else:
            self.fail("engine", result.reason)
        self._finish_if_done()

    def _add_failure(self, live: LiveLongForm, window: Window, reason: str) -> None:
        """A live clip goes on without a window that failed, unless all fail."""
        self.failures += 1
        self.metrics.count("failed_windows")
        if self.failures == MOST_FAILURES:
            self.fail("engine", f"{MOST_FAILURES} windows in a row failed, the last one: {reason}")
            return
        _log.warning(
            "%s: the sound up to %.1f s could not be transcribed, and the session goes on: %s",
            self.clip.name,
            window.start_s + window.duration_s,
            reason,
        )
        self._attempt(lambda: self.ready.extend(live.add_failure(window, reason)))

    def look_further(self) -> None:
        """Take audio until a window is ready, without removing it."""
        window = self.next_window()
        if window is not None:
            self.ready.appendleft(window)

    def new_partial(self) -> Partial | None:
        """The transcript so far; None if unchanged since the last call, or the clip has ended."""
        partial = self.partial()
        if partial is None:
            return None
        extent = (len(partial.committed), partial.interim)
        if extent == self.last_extent:
            return None
        self.last_extent = extent
        return partial

    def partial(self) -> Partial | None:
        """The transcript so far; None if the clip has ended."""
        return None if self.result is not None else self._attempt(self.long_form.partial)

    def count_processed(self, window: Window) -> None:
        """Update how much audio is processed: windows overlap, but each second counts once."""
        self._count_until(window, "processed_s")

    def count_repeated(self, window: Window) -> None:
        """The same for a window of an earlier process."""
        self._count_until(window, "repeated_s")

    def _count_until(self, window: Window, name: str) -> None:
        until_s = window.start_s + window.duration_s
        if until_s > self.processed_s:
            self.metrics.count(name, until_s - self.processed_s)
            self.processed_s = until_s

    def fail(self, stage: str, reason: str, *, too_long: bool = False) -> None:
        """End this clip as a Failure, if it has not ended; its waiting windows are dropped."""
        self.ready.clear()
        self.sounding = False
        self.result = self.result or Failure(
            self.clip.key, self.clip.name, stage, reason, self.clip.origin, too_long=too_long
        )

    def _take_audio(self) -> int:
        """Take a block, or the end; returns how many samples came."""
        with self.metrics.time("wait"):
            block = self.sound.next_block()
        with self.metrics.time("longform"):
            if block is None:
                self.sounding = False
                self.ready.extend(self.long_form.flush())
            elif isinstance(block, Mark):
                self.ready.extend(self.live.commit() if self.live else ())
            else:
                self.ready.extend(self.long_form.feed(block))
                return len(block)
        return 0

    def _add_hypothesis(self, window: Window, hypothesis: Hypothesis) -> None:
        self.ready.extend(self.long_form.add_result(window, hypothesis))

    def _finish_if_done(self) -> None:
        if self.result is None and not self.sounding and self.long_form.finished:
            self._attempt(self._close)

    def _close(self) -> None:
        with self.metrics.time("longform"):
            transcript = self.long_form.close()
        self.result = replace(transcript, damage=tuple(self.damage)) if self.damage else transcript

    def _attempt(self, step: Callable[[], Done]) -> Done | None:
        """What a step gives; None if it ends the clip."""
        try:
            return step()
        except ClipError as error:
            self.fail(error.stage, error.reason, too_long=isinstance(error, TooLongError))
        except (Quest22Error, MemoryError) as error:
            if not isinstance(error, self.contained):
                raise
            self.fail("longform", str(error) or type(error).__name__)
        except Exception as error:
            _log.debug("%s: the clip ends with an unexpected error", self.clip.name, exc_info=True)
            self.fail("longform", unexpected(error))
        return None


class ClipReplay:
    """Repeats what a clip did for the batches of an earlier process, without the engine.

    ``running`` are the windows of batches that had begun and not finished, by number of the batch.
    """

    def __init__(self, clip: ClipState) -> None:
        self._clip = clip
        self.running: dict[int, list[Window]] = {}

    def repeat(self, batch: ReplayedBatch) -> bool:
        """Repeat a batch: take its windows, its results, or both.

        False if the clip's windows are no longer the same; they then remain to be run.
        """
        windows = self.running.pop(batch.batch, None) if batch.batch is not None else None
        if windows is None:
            windows = self._take_windows(batch)
            if windows is None:
                return False
            if batch.exhausted:
                self._clip.look_further()
        if batch.begun and batch.batch is not None:
            self.running[batch.batch] = windows
            return True
        for window, result in zip(windows, batch.results, strict=True):
            self._clip.count_repeated(window)
            self._clip.add_result(window, result)
        return True

    def _take_windows(self, batch: ReplayedBatch) -> list[Window] | None:
        taken: list[Window] = []
        for result in batch.results:
            window = self._clip.next_window()
            if window is not None:
                taken.append(window)
            if window is None or window.fingerprint != result.window:
                self._clip.ready.extendleft(reversed(taken))
                return None
        return taken


def count_result(result: Transcript | Failure, metrics: Metrics) -> None:
    """Count a result that leaves a driver."""
    if isinstance(result, Failure):
        metrics.count("open_ends" if result.open_end else "failures")
    else:
        metrics.count("clips")
        metrics.count("audio_s", result.duration_s)
