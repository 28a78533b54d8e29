"""Forms batches of the windows of many clips, and passes results back to the clips.

A driver adds clips, takes batches, runs them and completes them (:mod:`quest22.runtime.ordered`,
:mod:`quest22.runtime.loop`). Knows nothing of threads, sources, engines and clocks: the time is
passed in.

Windows of the most urgent clips come first: by priority, then by deadline, then in the order of
addition. A file whose deadline has passed is as urgent as an interactive request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import TypeAlias

from quest22.records import Failure, Partial, Transcript, Window, WindowResult
from quest22.runtime.audio_input import CANCELLED
from quest22.runtime.clip_state import ClipState, Priority

URGENT_BLOCKS = 1
"""While other clips are urgent, a file takes at most this many blocks of audio per batch."""


@dataclass(frozen=True, slots=True)
class ClipProgressed:
    """A clip's transcript has grown."""

    number: int
    partial: Partial


@dataclass(frozen=True, slots=True)
class ClipDone:
    """A clip has ended."""

    number: int
    result: Transcript | Failure


Event: TypeAlias = ClipProgressed | ClipDone


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Limits on the windows of files, so that urgent windows do not wait long.

    While an urgent clip is open, a batch has at most ``file_windows`` windows of files. At most
    ``file_batches`` batches with windows of files are in flight. None: no limit.
    """

    file_windows: int | None = None
    file_batches: int | None = None


@dataclass(slots=True, eq=False)
class Batch:
    """Windows with their clips; those of one clip are adjacent."""

    size: int
    members: list[tuple[ClipState, Window]] = field(default_factory=list)

    @property
    def room(self) -> int:
        return self.size - len(self.members)

    @property
    def windows(self) -> list[Window]:
        return [window for _, window in self.members]

    @property
    def files(self) -> int:
        """The number of windows of files."""
        return sum(clip.priority is Priority.FILE for clip, _ in self.members)


def no_more_clips() -> None:
    """The default: all clips are added already."""


class Scheduler:
    """Holds the open clips; not thread-safe.

    ``batch_size`` is the maximum number of windows per batch.
    """

    def __init__(self, batch_size: int, limits: BatchLimits | None = None) -> None:
        self.batch_size = batch_size
        self._limits = limits or BatchLimits()
        self._clips: dict[int, ClipState] = {}
        self._in_flight: list[Batch] = []

    def __len__(self) -> int:
        """The number of open clips."""
        return len(self._clips)

    @property
    def has_sound(self) -> bool:
        """Whether a clip can take more audio; ``next_batch`` may then return more windows."""
        return any(clip.can_take_audio for clip in self._clips.values())

    def add(self, clip: ClipState) -> None:
        """Add a clip; its ``number`` must be new."""
        self._clips[clip.number] = clip

    def cancel(self, number: int) -> None:
        """End a clip as a Failure; results of its windows in flight will be dropped."""
        clip = self._clips.get(number)
        if clip is not None and clip.result is None:
            clip.fail("cancelled", CANCELLED)

    def next_batch(
        self, now: float, more_clips: Callable[[], ClipState | None] = no_more_clips
    ) -> Batch | None:
        """The next batch, which is then in flight; None if no window is ready.

        It is full unless there are no more windows. ``more_clips`` is called while there is room:
        it may add a clip and return it, or return None.
        """
        batch = Batch(self.batch_size)
        urgent = any(_rank(clip, now) < Priority.FILE for clip in self._clips.values())
        for clip in self._by_urgency(now):
            if not batch.room:
                break
            self._take(batch, clip, now, urgent=urgent)
        while batch.room and (added := more_clips()) is not None:
            self._take(batch, added, now, urgent=urgent)
        if not batch.members:
            return None
        self._in_flight.append(batch)
        return batch

    def restore(self, batch: Batch) -> None:
        """Register a batch of an earlier process as in flight."""
        self._in_flight.append(batch)

    def complete(self, batch: Batch, results: Sequence[WindowResult]) -> list[Event]:
        """Pass the results of a batch to their clips; returns the events, clip by clip."""
        self._in_flight.remove(batch)
        for (clip, window), result in zip(batch.members, results, strict=True):
            clip.count_processed(window)
            clip.add_result(window, result)
        clips = {clip.number: clip for clip, _ in batch.members}
        return [*_progress(clips.values()), *self.take_ended()]

    def take_ended(self) -> list[Event]:
        """Remove and return the clips that have ended since the last call."""
        ended = [clip for clip in self._clips.values() if clip.result is not None]
        for clip in ended:
            del self._clips[clip.number]
        return [ClipDone(clip.number, clip.result) for clip in ended if clip.result is not None]

    def _by_urgency(self, now: float) -> list[ClipState]:
        def urgency(clip: ClipState) -> tuple[int, float, int]:
            deadline_s = inf if clip.deadline_s is None else clip.deadline_s
            return _rank(clip, now), deadline_s, clip.number

        return sorted(self._clips.values(), key=urgency)

    def _take(self, batch: Batch, clip: ClipState, now: float, *, urgent: bool) -> None:
        """Fill a batch with a clip's windows; ``urgent``: a clip other than a file is open."""
        most, blocks = batch.room, None
        if _rank(clip, now) is Priority.FILE:
            most = min(most, self._room_for_files(batch, urgent=urgent))
            blocks = URGENT_BLOCKS if urgent else None
        while most and (window := clip.next_window(blocks)) is not None:
            batch.members.append((clip, window))
            most -= 1
            blocks = blocks and 0

    def _room_for_files(self, batch: Batch, *, urgent: bool) -> int:
        batches, windows = self._limits.file_batches, self._limits.file_windows
        if batches is not None and sum(each.files > 0 for each in self._in_flight) >= batches:
            return 0
        return batch.room if windows is None or not urgent else max(0, windows - batch.files)


def _progress(clips: Iterable[ClipState]) -> list[Event]:
    partials = [(clip.number, clip.new_partial()) for clip in clips if clip.partials]
    return [ClipProgressed(number, partial) for number, partial in partials if partial]


def _rank(clip: ClipState, now: float) -> Priority:
    """The priority of a clip's next window."""
    if clip.priority is Priority.FILE and clip.deadline_s is not None and clip.deadline_s <= now:
        return Priority.INTERACTIVE
    if clip.priority is Priority.LIVE_FINAL and clip.ready and clip.ready[0].interim:
        return Priority.LIVE_INTERIM
    return clip.priority
