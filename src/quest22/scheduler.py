"""Fills batches with windows of many clips and puts results back in the order of the source.

Knows nothing of files, models or text: it moves records between the stages. Everything it holds
is bounded: clips that are open at once by ``max_open``, their sound by what a batch can take.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field

from quest22.errors import ClipError, EngineError, Quest22Error
from quest22.meter import Meter
from quest22.records import Audio, Clip, Failure, Hypothesis, Transcript, Window
from quest22.stages import Engine, LongForm, Strategy

Result = Transcript | Failure


@dataclass(slots=True, eq=False)
class _OpenClip:
    """A clip between its first block of sound and its result."""

    audio: Audio
    machine: LongForm
    meter: Meter
    ready: deque[Window] = field(default_factory=deque)
    sounding: bool = True
    heard_s: float = 0.0
    result: Result | None = None

    @property
    def _awaited(self) -> str:
        """What a missing block is waited for: sound behind a network is read as it is decoded."""
        return "wait_source" if callable(self.audio.clip.media) else "wait_audio"

    def next_window(self) -> Window | None:
        """The next window that can run now; takes more sound if that is what it needs."""
        while not self.ready and self.result is None and self.sounding and self.machine.listens:
            self._attempt(self._listen)
        self._finish_if_done()
        return self.ready.popleft() if self.ready else None

    def accept(self, window: Window, hypothesis: Hypothesis) -> None:
        self._count_heard(window.start_s + window.duration_s)
        if self.result is None:
            self._attempt(lambda: self.ready.extend(self.machine.accept(window, hypothesis)))
            self._finish_if_done()

    def fail(self, stage: str, reason: str) -> None:
        """End this clip as a Failure; what it had waiting is dropped."""
        self.ready.clear()
        self.sounding = False
        self.result = _failure(self.audio.clip, stage, reason)

    def _count_heard(self, until_s: float) -> None:
        """How far into its sound the clip is: windows overlap, and each second counts once."""
        if until_s > self.heard_s:
            self.meter.count("heard_s", until_s - self.heard_s)
            self.heard_s = until_s

    def _listen(self) -> None:
        with self.meter.time("wait"), self.meter.time(self._awaited):
            block = next(self.audio.blocks, None)
        with self.meter.time("longform"):
            if block is None:
                self.sounding = False
                self.ready.extend(self.machine.flush())
            else:
                self.ready.extend(self.machine.feed(block))

    def _finish_if_done(self) -> None:
        if self.result is None and not self.sounding and self.machine.finished:
            self._attempt(self._close)

    def _close(self) -> None:
        with self.meter.time("longform"):
            self.result = self.machine.close()

    def _attempt(self, step: Callable[[], None]) -> None:
        try:
            step()
        except ClipError as error:
            self.fail(error.stage, error.reason)


def _failure(clip: Clip, stage: str, reason: str) -> Failure:
    return Failure(clip.key, clip.name, stage, reason, clip.origin)


class Scheduler:
    """Runs many clips through one engine, oldest clip first, results in source order."""

    def __init__(
        self, engine: Engine, strategy: Strategy, meter: Meter, max_open: int | None = None
    ) -> None:
        self._engine = engine
        self._strategy = strategy
        self._meter = meter
        self._max_open = max_open or max(64, 8 * engine.batch_size)
        self._open: deque[_OpenClip | Failure] = deque()
        self._arriving = True
        self._broken: Quest22Error | None = None

    def run(self, audios: Iterable[Audio | Failure]) -> Generator[Result, None, None]:
        """Yield one result for every Audio or Failure that comes in, in the same order.

        An error of the source is raised after the results of all clips that came before it.
        """
        arrivals = iter(audios)
        while self._arriving or self._open:
            batch = self._fill(arrivals)
            if batch:
                self._answer(batch)
            yield from self._leave()
        if self._broken is not None:
            raise self._broken

    def _fill(self, arrivals: Iterator[Audio | Failure]) -> list[tuple[_OpenClip, Window]]:
        """As many windows as the engine takes; fewer only when there are no more to be had.

        A full batch is worth waiting for: what comes in meanwhile is decoded in advance, and the
        same clips always meet in the same batch, however fast the source is today.
        """
        batch: list[tuple[_OpenClip, Window]] = []
        for clip in self._clips(arrivals):
            while len(batch) < self._engine.batch_size:
                window = clip.next_window()
                if window is None:
                    break
                batch.append((clip, window))
            if len(batch) == self._engine.batch_size:
                break
        return batch

    def _clips(self, arrivals: Iterator[Audio | Failure]) -> Iterator[_OpenClip]:
        """Clips that are open, oldest first, then new ones up to the limit."""
        yield from [clip for clip in self._open if isinstance(clip, _OpenClip)]
        while self._arriving and len(self._open) < self._max_open:
            arrival = self._next(arrivals)
            if arrival is None:
                self._arriving = False
                return
            if isinstance(arrival, Failure):
                self._open.append(arrival)
                continue
            clip = _OpenClip(arrival, self._strategy.open(arrival.clip), self._meter)
            self._open.append(clip)
            yield clip

    def _next(self, arrivals: Iterator[Audio | Failure]) -> Audio | Failure | None:
        try:
            with self._meter.time("wait"), self._meter.time("wait_source"):
                return next(arrivals, None)
        except Quest22Error as error:
            self._broken = error
            return None

    def _answer(self, batch: list[tuple[_OpenClip, Window]]) -> None:
        try:
            hypotheses = self._engine.run([window for _, window in batch])
        except EngineError as error:
            self._answer_apart(batch, error)
            return
        self._meter.count("windows", len(batch))
        for (clip, window), hypothesis in zip(batch, hypotheses, strict=True):
            clip.accept(window, hypothesis)

    def _answer_apart(self, batch: list[tuple[_OpenClip, Window]], error: EngineError) -> None:
        """One window may have spoilt the batch: run each by itself, and fail only its clip."""
        if len(batch) == 1:
            batch[0][0].fail("engine", str(error))
            return
        for pair in batch:
            self._answer([pair])

    def _leave(self) -> Iterator[Result]:
        """Results at the head of the line; a clip that is still open holds back those behind."""
        while self._open:
            head = self._open[0]
            result = head if isinstance(head, Failure) else head.result
            if result is None:
                return
            self._open.popleft()
            self._count(result)
            yield result

    def _count(self, result: Result) -> None:
        if isinstance(result, Failure):
            self._meter.count("failures")
        else:
            self._meter.count("clips")
            self._meter.count("audio_s", result.duration_s)
