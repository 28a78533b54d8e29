"""The state of a clip from its first block of audio to its result.

Takes audio as its windows need it. Knows nothing of batches and other clips.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Protocol

from quest22.errors import ClipError, Quest22Error, unexpected
from quest22.metrics import Metrics
from quest22.protocols import LongForm
from quest22.records import (
    Clip,
    Damage,
    Failure,
    Hypothesis,
    Partial,
    ReplayedBatch,
    Samples,
    Transcript,
    Window,
    WindowResult,
)

_log = logging.getLogger(__name__)


class Priority(IntEnum):
    """Whose windows run first. A live clip has final windows, and may have interim ones."""

    LIVE_FINAL = 0
    LIVE_INTERIM = 1
    INTERACTIVE = 2
    FILE = 3


class AudioInput(Protocol):
    """A clip's audio, block by block."""

    @property
    def available(self) -> bool:
        """Whether to call ``next_block``: a block or the end is available, or worth a wait."""
        ...

    def next_block(self) -> Samples | None:
        """The next block, None at the end. May raise :class:`quest22.errors.ClipError`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class PulledAudio:
    """Audio that is pulled when needed, such as the blocks of an ``Audio``."""

    blocks: Iterator[Samples]

    available = True

    def next_block(self) -> Samples | None:
        return next(self.blocks, None)


@dataclass(slots=True, eq=False)
class ClipState:
    """One clip, its audio and its long form; ``number`` identifies it within a driver.

    Of two clips with the same priority, the one with the earlier ``deadline_s`` (on the driver's
    clock) runs first. ``partials``: report its progress. ``contained`` are the errors that end only
    this clip, besides those that nobody foresaw. ``processed_s`` is how much of its audio windows
    have covered; ``damage`` are the places where audio is missing, known at its end.
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

    @property
    def key(self) -> str:
        return self.clip.key

    @property
    def can_take_audio(self) -> bool:
        """Whether the clip can use audio that is available."""
        is_open = self.result is None and self.sounding
        return is_open and self.sound.available and self.long_form.wants_audio

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
        if hypothesis is None:
            self.fail("engine", result.reason)
        elif self.result is None:
            self._attempt(lambda: self._add_hypothesis(window, hypothesis))
            self._finish_if_done()

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
        if self.result is not None:
            return None
        known: list[Partial] = []
        self._attempt(lambda: known.append(self.long_form.partial()))
        return known[0] if known else None

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

    def fail(self, stage: str, reason: str) -> None:
        """End this clip as a Failure; its waiting windows are dropped."""
        self.ready.clear()
        self.sounding = False
        self.result = Failure(self.clip.key, self.clip.name, stage, reason, self.clip.origin)

    def _take_audio(self) -> None:
        with self.metrics.time("wait"):
            block = self.sound.next_block()
        with self.metrics.time("longform"):
            if block is None:
                self.sounding = False
                self.ready.extend(self.long_form.flush())
            else:
                self.ready.extend(self.long_form.feed(block))

    def _add_hypothesis(self, window: Window, hypothesis: Hypothesis) -> None:
        self.ready.extend(self.long_form.add_result(window, hypothesis))

    def _finish_if_done(self) -> None:
        if self.result is None and not self.sounding and self.long_form.finished:
            self._attempt(self._close)

    def _close(self) -> None:
        with self.metrics.time("longform"):
            transcript = self.long_form.close()
        self.result = replace(transcript, damage=tuple(self.damage)) if self.damage else transcript

    def _attempt(self, step: Callable[[], None]) -> None:
        try:
            step()
        except ClipError as error:
            self.fail(error.stage, error.reason)
        except (Quest22Error, MemoryError) as error:
            if not isinstance(error, self.contained):
                raise
            self.fail("longform", str(error) or type(error).__name__)
        except Exception as error:
            _log.debug("%s: the clip ends with an unexpected error", self.clip.name, exc_info=True)
            self.fail("longform", unexpected(error))


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
