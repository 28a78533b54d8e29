"""A clip between its first block of sound and its result: what it gives, takes, and ends as.

Pulls sound as its windows are asked for. Knows nothing of batches and of other clips.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from quest22.errors import ClipError
from quest22.metrics import Metrics
from quest22.protocols import LongForm
from quest22.records import Audio, Failure, ReplayedBatch, Transcript, Window, WindowResult


@dataclass(slots=True, eq=False)
class ClipState:
    """One clip and its long-form machine; ``number`` counts the results of a run from 0."""

    number: int
    audio: Audio
    machine: LongForm
    metrics: Metrics
    ready: deque[Window] = field(default_factory=deque)
    sounding: bool = True
    heard_s: float = 0.0
    result: Transcript | Failure | None = None

    @property
    def key(self) -> str:
        return self.audio.clip.key

    def next_window(self) -> Window | None:
        """The next window that can run now; takes more sound if that is what it needs."""
        while not self.ready and self.result is None and self.sounding and self.machine.wants_audio:
            self._attempt(self._listen)
        self._finish_if_done()
        return self.ready.popleft() if self.ready else None

    def add_result(self, window: Window, answer: WindowResult) -> None:
        """Take what came of a window; windows that waited for it become ready."""
        hypothesis = answer.hypothesis
        if hypothesis is None:
            self.fail("engine", answer.reason)
        elif self.result is None:
            self._attempt(lambda: self.ready.extend(self.machine.add_result(window, hypothesis)))
            self._finish_if_done()

    def replay(self, turn: ReplayedBatch) -> bool:
        """Do again what the clip did for a batch of an earlier process, without the engine.

        False where its windows are no longer the same: then they wait to be heard.
        """
        taken: list[Window] = []
        for answer in turn.answers:
            window = self.next_window()
            if window is not None:
                taken.append(window)
            if window is None or window.fingerprint != answer.window:
                self.ready.extendleft(reversed(taken))
                return False
        if turn.exhausted:
            self.look_further()
        for window, answer in zip(taken, turn.answers, strict=True):
            self.heard_s = max(self.heard_s, window.start_s + window.duration_s)
            self.add_result(window, answer)
        return True

    def look_further(self) -> None:
        """Do what asking for a window does; one that is there stays."""
        window = self.next_window()
        if window is not None:
            self.ready.appendleft(window)

    def count_heard(self, window: Window) -> None:
        """How far into its sound the clip is: windows overlap, and each second counts once."""
        until_s = window.start_s + window.duration_s
        if until_s > self.heard_s:
            self.metrics.count("heard_s", until_s - self.heard_s)
            self.heard_s = until_s

    def fail(self, stage: str, reason: str) -> None:
        """End this clip as a Failure; what it had waiting is dropped."""
        clip = self.audio.clip
        self.ready.clear()
        self.sounding = False
        self.result = Failure(clip.key, clip.name, stage, reason, clip.origin)

    def _listen(self) -> None:
        with self.metrics.time("wait"):
            block = next(self.audio.blocks, None)
        with self.metrics.time("longform"):
            if block is None:
                self.sounding = False
                self.ready.extend(self.machine.flush())
            else:
                self.ready.extend(self.machine.feed(block))

    def _finish_if_done(self) -> None:
        if self.result is None and not self.sounding and self.machine.finished:
            self._attempt(self._close)

    def _close(self) -> None:
        with self.metrics.time("longform"):
            self.result = self.machine.close()

    def _attempt(self, step: Callable[[], None]) -> None:
        try:
            step()
        except ClipError as error:
            self.fail(error.stage, error.reason)
