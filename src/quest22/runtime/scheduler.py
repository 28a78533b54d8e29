"""Forms batches of the windows of many clips, and passes results back to the clips.

A driver adds clips, takes batches, runs them and completes them (:mod:`quest22.runtime.ordered`,
:mod:`quest22.runtime.loop`). Knows nothing of threads, sources, engines and clocks: the time is
passed in.

Windows of the most urgent clips come first: by priority, then by deadline, then in the order of
addition. A file whose deadline has passed is as urgent as an interactive request. Interactive
requests with the same deadline take turns, and share batches: a long one holds up no short one, and
its own first text does not wait for a whole batch.

Clips that are still spoken (:class:`quest22.protocols.LiveLongForm`) take all audio that has come
before a batch is formed. Then there are batches of their final windows, else batches of previews,
of those first who have waited longest since their last window. A preview is made only for a batch
that runs at once, so it is never out of date, and the time between two of them grows with the load.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count, groupby
from math import inf
from typing import TypeAlias

from quest22.records import Failure, LiveEvent, Partial, Transcript, Window, WindowResult
from quest22.runtime.audio_input import CANCELLED
from quest22.runtime.clip_state import ClipState, Priority
from quest22.runtime.turns import SpeechTimes

URGENT_BLOCKS = 1
"""While other clips are urgent, a file takes at most this many blocks of audio per batch."""

LIVE_WINDOWS = 1
"""The most live windows in a batch. They are decoded one by one, as each has a draft or keeps what
it attends to, so a batch of several would cost as much and be delivered later."""

FIRST_WINDOWS = 2
"""The most windows of a request in its first batch, so that its first text comes soon."""

LIVE_IN_A_ROW = 16
"""After this many batches of live windows, one window of another clip has its turn."""


@dataclass(frozen=True, slots=True)
class ClipProgressed:
    """A clip's transcript has grown."""

    number: int
    partial: Partial


@dataclass(frozen=True, slots=True)
class ClipHeard:
    """What is known of segments of a live clip."""

    number: int
    events: Sequence[LiveEvent]


@dataclass(frozen=True, slots=True)
class ClipDone:
    """A clip has ended."""

    number: int
    result: Transcript | Failure


Event: TypeAlias = ClipProgressed | ClipHeard | ClipDone


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Limits on windows, so that urgent ones do not wait long.

    While an urgent clip is open, a batch has at most ``file_windows`` windows of files. At most
    ``file_batches`` batches with windows of files are in flight. None: no limit. A batch has at
    most ``live_windows`` windows of clips that are still spoken, and no others beside them.
    """

    file_windows: int | None = None
    file_batches: int | None = None
    live_windows: int = LIVE_WINDOWS


@dataclass(frozen=True, slots=True)
class Wait:
    """How long a clip waited for a place in a batch; ``first``: for its first one."""

    priority: Priority
    seconds: float
    first: bool


@dataclass(slots=True, eq=False)
class Batch:
    """Windows with their clips; those of one clip are adjacent. ``waits``: one for each clip."""

    size: int
    members: list[tuple[ClipState, Window]] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)

    @property
    def room(self) -> int:
        return self.size - len(self.members)

    @property
    def windows(self) -> list[Window]:
        return [window for _, window in self.members]

    @property
    def urgent(self) -> bool:
        """Whether a clip other than a file is in it."""
        return any(clip.priority is not Priority.FILE for clip, _ in self.members)

    @property
    def files(self) -> int:
        """The number of windows of files."""
        return sum(clip.priority is Priority.FILE for clip, _ in self.members)

    def note_wait(self, clip: ClipState, since: float | None, now: float) -> None:
        """A clip has got a place, for which it had waited."""
        if since is not None:
            self.waits.append(Wait(clip.priority, max(0.0, now - since), clip.served_s is None))
        clip.served_s = now


def no_more_clips() -> None:
    """The default: all clips are added already."""


class Scheduler:
    """Holds the open clips; not thread-safe.

    ``batch_size`` is the maximum number of windows per batch. What live clips say is noted in
    ``speech``.
    """

    def __init__(
        self,
        batch_size: int,
        limits: BatchLimits | None = None,
        speech: SpeechTimes | None = None,
    ) -> None:
        self.batch_size = batch_size
        self.speech = speech or SpeechTimes()
        self._limits = limits or BatchLimits()
        self._clips: dict[int, ClipState] = {}
        self._in_flight: list[Batch] = []
        self._live_in_a_row = 0
        self._turns = count()

    def __len__(self) -> int:
        """The number of open clips."""
        return len(self._clips)

    @property
    def has_sound(self) -> bool:
        """Whether a clip can take more audio; ``next_batch`` may then return more windows."""
        return any(clip.can_take_audio for clip in self._clips.values())

    def add(self, clip: ClipState) -> None:
        """Add a clip; its ``number`` must be new."""
        if clip.priority is Priority.INTERACTIVE:
            clip.last_turn = next(self._turns)
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
        self._listen(now)
        batch = self._live_batch(now) if self._live_in_a_row < LIVE_IN_A_ROW else None
        self._live_in_a_row = 0 if batch is None else self._live_in_a_row + 1
        if batch is None:
            batch = self._batch_of_others(now, more_clips) or self._live_batch(now)
        if batch is not None:
            self._in_flight.append(batch)
        return batch

    def restore(self, batch: Batch) -> None:
        """Register a batch of an earlier process as in flight."""
        self._in_flight.append(batch)

    def complete(
        self, batch: Batch, results: Sequence[WindowResult], now: float = 0.0
    ) -> list[Event]:
        """Pass the results of a batch to their clips; returns the events, clip by clip."""
        self._in_flight.remove(batch)
        for (clip, window), result in zip(batch.members, results, strict=True):
            clip.served_s = now
            clip.count_processed(window)
            clip.add_result(window, result)
        clips = {clip.number: clip for clip, _ in batch.members}
        return [*_progress(clips.values()), *self.take_events()]

    def take_events(self) -> list[Event]:
        """What live clips have heard, and the clips that have ended, since the last call.

        The latter are removed.
        """
        heard = [(clip.number, clip.take_live_events()) for clip in self._live_clips()]
        ended = [clip for clip in self._clips.values() if clip.result is not None]
        for clip in ended:
            del self._clips[clip.number]
        return [
            *(ClipHeard(number, events) for number, events in heard if events),
            *(ClipDone(clip.number, clip.result) for clip in ended if clip.result is not None),
        ]

    # Clips that are still spoken.

    def _live_clips(self) -> list[ClipState]:
        return [clip for clip in self._clips.values() if clip.live is not None]

    def _listen(self, now: float) -> None:
        for clip in self._live_clips():
            if clip.listen(now):
                self.speech.fed_s = now
                if clip.unheard_s > 0:
                    self.speech.spoke_s = now

    def _live_batch(self, now: float) -> Batch | None:
        """Final windows, if there are any, else previews; None if nothing is due."""
        batch = Batch(min(self.batch_size, self._limits.live_windows))
        clips = self._live_clips()
        for clip in sorted(clips, key=lambda clip: (clip.priority, clip.ready_s, *_order(clip))):
            if batch.room:
                batch.note_wait(clip, clip.waits_since, now)
            while batch.room and clip.ready:
                batch.members.append((clip, clip.ready.popleft()))
        if not batch.members:
            for clip in sorted(
                clips, key=lambda clip: (clip.priority, clip.last_turn, *_order(clip))
            ):
                if batch.room and (window := clip.preview()) is not None:
                    batch.members.append((clip, window))
        for clip, _ in batch.members:
            clip.last_turn = next(self._turns)
        return batch if batch.members else None

    # Other clips.

    def _batch_of_others(
        self, now: float, more_clips: Callable[[], ClipState | None]
    ) -> Batch | None:
        batch = Batch(self.speech.windows_beside(now, self.batch_size))
        clips = [clip for clip in self._clips.values() if clip.live is None]
        urgent = batch.size < self.batch_size or any(
            _rank(clip, now) < Priority.FILE for clip in clips
        )
        ordered = sorted(clips, key=lambda clip: (_rank(clip, now), *_order(clip)))
        for (rank, _), alike in groupby(ordered, lambda clip: (_rank(clip, now), _order(clip)[0])):
            if rank is Priority.INTERACTIVE:
                self._share(batch, sorted(alike, key=lambda clip: clip.last_turn), now)
                continue
            for clip in alike:
                if batch.room:
                    self._take(batch, clip, now, urgent=urgent)
        while batch.room and (added := more_clips()) is not None:
            self._take(batch, added, now, urgent=urgent)
        return batch if batch.members else None

    def _share(self, batch: Batch, requests: Sequence[ClipState], now: float) -> None:
        """Give each request its share of a batch, and what is left to whoever has more windows.

        That goes first whose last turn is longest ago. Requests have no limits of blocks.
        """
        taken = len(batch.members)
        left = {clip.number: FIRST_WINDOWS for clip in requests if clip.served_s is None}
        for share in (max(1, batch.room // len(requests)), batch.size):
            for clip in requests:
                before = batch.room
                most = min(share, left.get(clip.number, share))
                self._take(batch, clip, now, most=most, urgent=True)
                if clip.number in left:
                    left[clip.number] -= before - batch.room
                if batch.room < before:
                    clip.last_turn = next(self._turns)
        batch.members[taken:] = sorted(batch.members[taken:], key=lambda member: member[0].number)

    def _take(
        self, batch: Batch, clip: ClipState, now: float, *, urgent: bool, most: int | None = None
    ) -> None:
        """Fill a batch with a clip's windows, or with so many of them.

        ``urgent``: a clip other than a file is open.
        """
        most, blocks = batch.room if most is None else min(most, batch.room), None
        if _rank(clip, now) is Priority.FILE:
            most = min(most, self._room_for_files(batch, urgent=urgent))
            blocks = URGENT_BLOCKS if urgent else None
        since, taken = clip.waits_since, len(batch.members)
        while most and (window := clip.next_window(blocks)) is not None:
            batch.members.append((clip, window))
            most -= 1
            blocks = blocks and 0
        if len(batch.members) > taken:
            batch.note_wait(clip, since, now)

    def _room_for_files(self, batch: Batch, *, urgent: bool) -> int:
        batches, windows = self._limits.file_batches, self._limits.file_windows
        if batches is not None and sum(each.files > 0 for each in self._in_flight) >= batches:
            return 0
        return batch.room if windows is None or not urgent else max(0, windows - batch.files)


def _progress(clips: Iterable[ClipState]) -> list[Event]:
    partials = [(clip.number, clip.new_partial()) for clip in clips if clip.partials]
    return [ClipProgressed(number, partial) for number, partial in partials if partial]


def _order(clip: ClipState) -> tuple[float, int]:
    """Of clips that are as urgent, that with the earlier deadline goes first, then the older."""
    return inf if clip.deadline_s is None else clip.deadline_s, clip.number


def _rank(clip: ClipState, now: float) -> Priority:
    """The priority of a clip's next window."""
    if clip.priority is Priority.FILE and clip.deadline_s is not None and clip.deadline_s <= now:
        return Priority.INTERACTIVE
    if clip.priority is Priority.LIVE_FINAL and not (clip.ready and not clip.ready[0].interim):
        return Priority.LIVE_INTERIM
    return clip.priority
