"""Runs a corpus: full batches, results in source order, and no repeated work after a crash.

Pulls clips from a source when there is room for their windows. Memory is bounded: the number of
open clips by ``max_open``, their audio by what a batch can use.

Which windows share a batch depends only on the source and on earlier results. An engine with
several batches in flight always gets batch n + 1 before the results of batch n are taken. With a
replay store this also holds across a crash: clips that were open are reopened and repeat their
steps, batch by batch, with the recorded results. The next batch is then the one that would have
followed, and no result is computed twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

from quest22.errors import Quest22Error
from quest22.metrics import Metrics
from quest22.protocols import ConfiguredStrategy, Engine, ReplayStore
from quest22.records import Audio, Failure, ReplayedBatch, Transcript, Window, WindowResult
from quest22.runtime.clip_state import ClipReplay, ClipState, PulledAudio, count_result
from quest22.runtime.engine_runner import BatchRunner, RunningBatch
from quest22.runtime.progress import ProgressBoard
from quest22.runtime.scheduler import Batch, Scheduler

Result: TypeAlias = Transcript | Failure
Note: TypeAlias = tuple[int, str, ReplayedBatch]

NO_CLOCK = 0.0
"""Clips of a corpus have no deadlines, so the time does not matter."""


@dataclass(frozen=True, slots=True, eq=False)
class _InFlight:
    """A batch in the engine; ``number`` is its number in the replay store if recorded twice."""

    batch: Batch
    running: RunningBatch
    number: int | None


class OrderedDriver:
    """Runs many clips through one engine, oldest clip first, results in source order."""

    def __init__(
        self,
        engine: Engine,
        strategy: ConfiguredStrategy,
        metrics: Metrics,
        max_open: int | None = None,
        replay: ReplayStore | None = None,
        progress: ProgressBoard | None = None,
    ) -> None:
        self._runner = BatchRunner(engine, metrics)
        self._scheduler = Scheduler(engine.batch_size)
        self._strategy = strategy
        self._metrics = metrics
        windows = engine.batch_size * max(8, 2 * engine.batches_in_flight)
        self._max_open = max_open or max(64, windows)
        self._replay = replay
        self._progress = progress
        self._arrived = replay.clips.start if replay else 0
        self._open: deque[ClipState | Failure] = deque()
        self._sounding: list[ClipState] = []  # when the batch began to be formed
        self._ended: list[ClipState] = []  # since the last record, without a window
        self._in_flight: deque[_InFlight] = deque()
        self._batches = 0
        self._arriving = True
        self._broken: Quest22Error | None = None

    def run(self, audios: Iterable[Audio | Failure]) -> Generator[Result, None, None]:
        """Yield one result for every Audio or Failure, in the same order.

        An error of the source is raised after the results of all clips before it; with a replay
        store, only after those that are complete: the others are resumed later.
        """
        arrivals = iter(audios)
        try:
            yield from self._run(arrivals)
        finally:
            while self._in_flight:
                self._runner.abandon(self._in_flight.popleft().running)
        if self._broken is not None:
            raise self._broken

    def _run(self, arrivals: Iterator[Audio | Failure]) -> Iterator[Result]:
        if self._replay is not None:
            self._repeat(arrivals, self._replay)
            self._tell_progress(clip for clip in self._open if isinstance(clip, ClipState))
            yield from self._leave()
        while self._arriving or self._open:
            while len(self._in_flight) < self._runner.batches_in_flight:
                batch = self._next_batch(arrivals)
                if self._is_cut_short(batch):
                    yield from self._leave()
                    return
                if batch is None:
                    break
                self._begin(batch)
                # Leave after recording, so that the same clips are open on replay.
                if self._in_flight[-1].number is not None:
                    yield from self._leave()
            if self._in_flight:
                self._finish_batch(self._in_flight.popleft())
            yield from self._leave()

    # Batches.

    def _next_batch(self, arrivals: Iterator[Audio | Failure]) -> Batch | None:
        """As many windows as the engine takes; fewer only if there are no more.

        A full batch is worth waiting for: audio is decoded in advance meanwhile, and the same clips
        always share a batch, however fast the source is.
        """
        if self._replay is not None:
            self._sounding = [
                clip for clip in self._open if isinstance(clip, ClipState) and clip.sounding
            ]
        batch = self._scheduler.next_batch(NO_CLOCK, lambda: self._more_clips(arrivals))
        self._scheduler.take_events()
        with_windows = {clip.number for clip, _ in batch.members} if batch else set()
        ended = (clip for clip in self._sounding if not clip.sounding)
        self._ended += [clip for clip in ended if clip.number not in with_windows]
        self._sounding = []
        return batch

    def _is_cut_short(self, batch: Batch | None) -> bool:
        """Whether the source failed before the batch was full: a resumed run will fill it."""
        full = batch is not None and not batch.room
        return self._replay is not None and self._broken is not None and not full

    def _begin(self, batch: Batch) -> None:
        number = None
        if self._runner.batches_in_flight > 1:
            number, self._batches = self._batches, self._batches + 1
            if self._replay is not None:
                results = [WindowResult(window.fingerprint, None) for window in batch.windows]
                self._replay.note([*_notes(batch, results, number, begun=True), *self._ends()])
        self._in_flight.append(_InFlight(batch, self._runner.begin(batch.windows), number))

    def _finish_batch(self, in_flight: _InFlight) -> None:
        batch = in_flight.batch
        results = self._runner.finish(in_flight.running)
        if self._replay is not None:
            # A clip that has ended did so before these results came.
            self._replay.note([*self._ends(), *_notes(batch, results, in_flight.number)])
        self._ended.clear()
        self._scheduler.complete(batch, results)
        self._tell_progress({clip.number: clip for clip, _ in batch.members}.values())

    def _tell_progress(self, clips: Iterable[ClipState]) -> None:
        if self._progress is not None and self._open:
            self._progress.tell(clips, leading=self._open[0])

    def _ends(self) -> list[Note]:
        """A clip whose audio ended without a window counts too: it left, and another came in."""
        ends = [(clip.number, clip.key, ReplayedBatch((), True)) for clip in self._ended]
        self._ended.clear()
        return ends

    # Clips in.

    def _more_clips(self, arrivals: Iterator[Audio | Failure]) -> ClipState | None:
        """A new clip, as long as the limit allows; None if there is no more for now."""
        while self._arriving and len(self._open) < self._max_open:
            clip = self._next_clip(arrivals)
            if clip is not None:
                return clip
        return None

    def _next_clip(self, arrivals: Iterator[Audio | Failure]) -> ClipState | None:
        """The next clip, opened; None for a Failure, and if there are no more."""
        arrival = self._next(arrivals)
        if arrival is None:
            self._arriving = False
            return None
        self._arrived += 1
        if isinstance(arrival, Failure):
            self._open.append(arrival)
            return None
        clip = ClipState(
            number=self._arrived - 1,
            clip=arrival.clip,
            sound=PulledAudio(arrival.blocks),
            long_form=self._strategy.open(arrival.clip),
            metrics=self._metrics,
            damage=arrival.damage,
        )
        self._open.append(clip)
        if self._replay is not None:
            self._sounding.append(clip)
        self._scheduler.add(clip)
        return clip

    def _next(self, arrivals: Iterator[Audio | Failure]) -> Audio | Failure | None:
        try:
            with self._metrics.time("wait"):
                return next(arrivals, None)
        except Quest22Error as error:
            self._broken = error
            return None

    # Results out.

    def _leave(self) -> Iterator[Result]:
        """Results at the head of the queue; a clip that is still open holds back those after it."""
        while self._open:
            head = self._open[0]
            result = head if isinstance(head, Failure) else head.result
            if result is None or self._is_running(head):
                return
            self._open.popleft()
            if self._progress is not None:
                self._progress.forget(result.key)
            count_result(result, self._metrics)
            yield result

    def _is_running(self, clip: ClipState | Failure) -> bool:
        """Whether a clip has windows in the engine: one that fails there is its result."""
        return any(clip is member for each in self._in_flight for member, _ in each.batch.members)

    # After a crash.

    def _repeat(self, arrivals: Iterator[Audio | Failure], store: ReplayStore) -> None:
        """Bring the clips that an earlier process had open back to their state."""
        members: dict[int, list[tuple[ClipState, Window]]] = {}
        for number in store.clips:
            clip = self._next_clip(arrivals)
            if not self._arriving:
                break
            if clip is None:
                continue
            batches, repetition = store.recall(number, clip.key), ClipReplay(clip)
            numbers = [batch.batch for batch in batches if batch.batch is not None]
            self._batches = max(self._batches, *(each + 1 for each in numbers), 0)
            all(repetition.repeat(batch) for batch in batches)
            for batch_number, windows in repetition.running.items():
                members.setdefault(batch_number, []).extend((clip, each) for each in windows)
        self._scheduler.take_events()
        for batch_number in sorted(members):
            batch = Batch(self._scheduler.batch_size, members[batch_number])
            self._scheduler.restore(batch)
            running = self._runner.begin(batch.windows)
            self._in_flight.append(_InFlight(batch, running, batch_number))


def _notes(
    batch: Batch, results: Sequence[WindowResult], number: int | None, *, begun: bool = False
) -> Iterator[Note]:
    """A batch clip by clip. The last clip of a full one may have more windows than it gave."""
    last = batch.members[-1][0]
    pairs = zip(batch.members, results, strict=True)
    for _, group in groupby(pairs, key=lambda pair: pair[0][0].number):
        members = list(group)
        clip = members[0][0][0]
        exhausted = bool(batch.room) or clip is not last
        clip_results = tuple(result for _, result in members)
        yield clip.number, clip.key, ReplayedBatch(clip_results, exhausted, number, begun)
