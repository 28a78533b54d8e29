"""Fills batches with windows of many clips and puts results back in the order of the source.

Knows nothing of files, models or text: it moves records between the stages. Everything it holds
is bounded: clips that are open at once by ``max_open``, their sound by what a batch can take.

Which windows meet in a batch depends on the source and on what was heard before, and on nothing
else. With a memory that holds across a crash as well: clips that were open are opened again and do
what they did, batch by batch, with the answers that were noted; so the next batch is the one that
would have come, and no answer is computed twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import groupby, islice

from quest22.errors import EngineError, Quest22Error
from quest22.metrics import Metrics
from quest22.protocols import Engine, ReplayStore, Strategy
from quest22.records import Audio, Failure, ReplayedBatch, Transcript, Window, WindowResult
from quest22.runtime.clip_state import ClipState

Result = Transcript | Failure
Batch = list[tuple[ClipState, Window]]


class Scheduler:
    """Runs many clips through one engine, oldest clip first, results in source order."""

    def __init__(
        self,
        engine: Engine,
        strategy: Strategy,
        metrics: Metrics,
        max_open: int | None = None,
        memory: ReplayStore | None = None,
    ) -> None:
        self._engine = engine
        self._strategy = strategy
        self._metrics = metrics
        self._max_open = max_open or max(64, 8 * engine.batch_size)
        self._memory = memory
        self._arrived = memory.clips.start if memory else 0
        self._open: deque[ClipState | Failure] = deque()
        self._ended: list[ClipState] = []  # since the last batch, asked for windows in vain
        self._arriving = True
        self._broken: Quest22Error | None = None

    def run(self, audios: Iterable[Audio | Failure]) -> Generator[Result, None, None]:
        """Yield one result for every Audio or Failure that comes in, in the same order.

        An error of the source is raised after the results of all clips that came before it; with
        a memory, after those that are whole: the others are gone on with another time.
        """
        arrivals = iter(audios)
        if self._memory is not None:
            self._remember(arrivals, self._memory)
            yield from self._leave()
        while self._arriving or self._open:
            batch = self._fill(arrivals)
            if self._is_cut_short(batch):
                yield from self._leave()
                break
            if batch:
                self._answer(batch)
            yield from self._leave()
        if self._broken is not None:
            raise self._broken

    def _remember(self, arrivals: Iterator[Audio | Failure], memory: ReplayStore) -> None:
        """Bring the clips that an earlier process had open to where they were."""
        for number in memory.clips:
            clip = self._next_clip(arrivals)
            if not self._arriving:
                return
            if clip is None:
                continue
            all(clip.replay(turn) for turn in memory.recall(number, clip.key))

    def _fill(self, arrivals: Iterator[Audio | Failure]) -> Batch:
        """As many windows as the engine takes; fewer only when there are no more to be had.

        A full batch is worth waiting for: what comes in meanwhile is decoded in advance, and the
        same clips always meet in the same batch, however fast the source is today.
        """
        batch: Batch = []
        for clip in self._clips(arrivals):
            batch += self._windows(clip, self._engine.batch_size - len(batch))
            if len(batch) == self._engine.batch_size:
                break
        return batch

    def _windows(self, clip: ClipState, most: int) -> Batch:
        """Up to ``most`` windows of a clip."""
        sounding = clip.sounding
        windows = [(clip, window) for window in islice(iter(clip.next_window, None), most)]
        if self._memory is not None and sounding and not clip.sounding and not windows:
            self._ended.append(clip)
        return windows

    def _is_cut_short(self, batch: Batch) -> bool:
        """Whether the source broke before a batch was full that others would have filled."""
        broken = self._memory is not None and self._broken is not None
        return broken and len(batch) < self._engine.batch_size

    def _clips(self, arrivals: Iterator[Audio | Failure]) -> Iterator[ClipState]:
        """Clips that are open, oldest first, then new ones up to the limit."""
        yield from [clip for clip in self._open if isinstance(clip, ClipState)]
        while self._arriving and len(self._open) < self._max_open:
            clip = self._next_clip(arrivals)
            if clip is not None:
                yield clip

    def _next_clip(self, arrivals: Iterator[Audio | Failure]) -> ClipState | None:
        """The next clip, opened; None for a Failure, and where no more arrive."""
        arrival = self._next(arrivals)
        if arrival is None:
            self._arriving = False
            return None
        self._arrived += 1
        if isinstance(arrival, Failure):
            self._open.append(arrival)
            return None
        machine = self._strategy.open(arrival.clip)
        clip = ClipState(self._arrived - 1, arrival, machine, self._metrics)
        self._open.append(clip)
        return clip

    def _next(self, arrivals: Iterator[Audio | Failure]) -> Audio | Failure | None:
        try:
            with self._metrics.time("wait"):
                return next(arrivals, None)
        except Quest22Error as error:
            self._broken = error
            return None

    def _answer(self, batch: Batch) -> None:
        answers = self._ask([window for _, window in batch])
        if self._memory is not None:
            full = len(batch) == self._engine.batch_size
            self._memory.note([*_turns(batch, answers, full=full), *self._ends()])
        for (clip, window), answer in zip(batch, answers, strict=True):
            clip.count_heard(window)
            clip.add_result(window, answer)

    def _ends(self) -> Iterator[tuple[int, str, ReplayedBatch]]:
        """That a clip's sound ended without a window is a turn too: it left, another came in."""
        yield from ((clip.number, clip.key, ReplayedBatch((), True)) for clip in self._ended)
        self._ended.clear()

    def _ask(self, windows: Sequence[Window]) -> list[WindowResult]:
        """One window may spoil a batch: then each runs by itself, so that only its clip fails."""
        try:
            hypotheses = self._engine.run(windows)
        except EngineError as error:
            if len(windows) > 1:
                return [answer for window in windows for answer in self._ask([window])]
            return [WindowResult(windows[0].fingerprint, None, str(error))]
        self._metrics.count("windows", len(windows))
        pairs = zip(windows, hypotheses, strict=True)
        return [WindowResult(window.fingerprint, hypothesis) for window, hypothesis in pairs]

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
            self._metrics.count("failures")
        else:
            self._metrics.count("clips")
            self._metrics.count("audio_s", result.duration_s)


def _turns(
    batch: Batch, answers: Sequence[WindowResult], *, full: bool
) -> Iterator[tuple[int, str, ReplayedBatch]]:
    """A batch clip by clip. The last clip of a full one was not asked for more than it gave."""
    last = batch[-1][0]
    pairs = zip(batch, answers, strict=True)
    for _, group in groupby(pairs, key=lambda pair: id(pair[0][0])):
        members = list(group)
        clip = members[0][0][0]
        turn = ReplayedBatch(tuple(answer for _, answer in members), not (full and clip is last))
        yield clip.number, clip.key, turn
