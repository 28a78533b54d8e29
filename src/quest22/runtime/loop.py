"""Serves clips that are added at any time, from any thread, by priority and deadline.

One thread runs whatever windows are ready, never waits for a full batch, and delivers each clip's
events as they happen. It takes turns at the engine with other users (:mod:`quest22.runtime.turns`).
A few other threads decode the audio of clips that are not fed. A failing clip does not affect
others.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from quest22.errors import UsageError
from quest22.metrics import Metrics
from quest22.protocols import AudioDecoder, Engine, Strategy
from quest22.records import Audio, Clip, Damage, Failure, Samples
from quest22.runtime.audio_input import WORKERS, AudioQueue, LiveDecodePool
from quest22.runtime.clip_handle import ClipHandle, Session
from quest22.runtime.clip_state import ClipState, Priority, count_result
from quest22.runtime.engine_runner import BatchRunner, RunningBatch
from quest22.runtime.live_session import LiveSession
from quest22.runtime.scheduler import (
    LIVE_WINDOWS,
    Batch,
    BatchLimits,
    ClipDone,
    Event,
    Scheduler,
)
from quest22.runtime.turns import EngineTurns
from quest22.settings.clip_options import ClipOptions
from quest22.system.forks import HomeProcess

if TYPE_CHECKING:
    from types import TracebackType

_log = logging.getLogger("quest22")


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """Limits of a loop.

    A session buffers ``session_s`` seconds of audio before ``feed`` waits, one that is still spoken
    ``live_s``; all decoded clips together buffer ``decoded_s``. ``file_windows`` is how many
    windows of files share a batch while an urgent clip is open; None: a quarter of a batch.
    ``live_windows`` is how many windows of clips that are still spoken share a batch. ``decoders``
    is how many threads decode audio: one that waits for a slow source holds up nobody, as long as
    others are free.
    """

    session_s: float = 30.0
    live_s: float = 15.0
    decoded_s: float = 600.0
    file_windows: int | None = None
    live_windows: int = LIVE_WINDOWS
    decoders: int = WORKERS


@dataclass(slots=True, eq=False)
class _Entry:
    """A clip that has not ended, as its caller and its feeding thread see it.

    ``handle`` gives what its caller has; None: a live session that its caller has dropped.
    """

    handle: Callable[[], ClipHandle | LiveSession | None]
    sound: AudioQueue
    clip: Clip
    cancel: Callable[[], None]


def _close_at_home(loop: weakref.ref[TranscriptionLoop], home: HomeProcess) -> None:
    """At the end of the program: libraries abort if a thread is still inside them."""
    open_loop = loop()
    if open_loop is not None and home.is_here:
        open_loop.close(cancel=True)


class TranscriptionLoop:
    """Transcribes clips as they come. Close it, or use it in a ``with`` block.

    ``engine`` may be shared, by its turns, with other loops and runs. ``decoder`` is needed for
    clips that are not decoded yet. ``clock`` gives seconds.
    """

    def __init__(
        self,
        engine: Engine | EngineTurns,
        strategy: Strategy,
        metrics: Metrics | None = None,
        decoder: AudioDecoder | None = None,
        settings: LoopSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings or LoopSettings()
        self._metrics = metrics or Metrics()
        self._strategy = strategy
        self._decoder = decoder
        self._clock = clock
        turns = engine if isinstance(engine, EngineTurns) else EngineTurns(engine, clock)
        self._runners = {
            urgent: BatchRunner(turns.view(urgent=urgent), self._metrics, retry_alone_on=Exception)
            for urgent in (True, False)
        }
        batch_size, self._batches_in_flight = (
            turns.engine.batch_size,
            turns.engine.batches_in_flight,
        )
        file_windows = self._settings.file_windows or max(1, batch_size // 4)
        limits = BatchLimits(file_windows, file_batches=1, live_windows=self._settings.live_windows)
        self._scheduler = Scheduler(batch_size, limits, turns.speech)
        self._newcomers: dict[int, AudioQueue] = {}
        self._in_flight: deque[tuple[Batch, BatchRunner, RunningBatch]] = deque()
        self._pump = LiveDecodePool(self._settings.decoded_s, self._settings.decoders)
        self._changed = threading.Condition()
        self._work_came = False
        self._commands: list[Callable[[], None]] = []
        self._entries: dict[int, _Entry] = {}
        self._added = 0
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="quest22-engine", daemon=True)
        self._at_exit = partial(_close_at_home, weakref.ref(self), HomeProcess())
        atexit.register(self._at_exit)
        self._thread.start()

    # Called from any thread.

    def add(
        self,
        clip: Clip | Audio,
        options: ClipOptions | None = None,
        *,
        priority: Priority = Priority.INTERACTIVE,
        within_s: float | None = None,
        partials: bool = True,
    ) -> ClipHandle:
        """Transcribe a clip, whose audio is decoded in other threads.

        ``within_s`` is its deadline in seconds from now: among clips of the same priority, earlier
        deadlines run first. ``partials``: its handle reports progress too. Raises
        :class:`UsageError` for unsupported options, and if the loop is closed.
        """
        sound = AudioQueue(self._settings.session_s, self._wake, self._pump.wake, clock=self._clock)
        audio = clip if isinstance(clip, Audio) else self._decoded(clip)
        state = self._state(audio.clip, sound, options)
        state.damage = audio.damage
        self._schedule(state, priority, within_s, partials=partials)
        cancel = self._canceller(state, sound)
        handle = ClipHandle(state.key, cancel)
        self._enter(state, _Entry(lambda: handle, sound, audio.clip, cancel))
        deadline_s = inf if state.deadline_s is None else state.deadline_s
        self._pump.add(audio.blocks, sound, (priority, deadline_s, state.number))
        return handle

    def open(
        self,
        clip: Clip,
        options: ClipOptions | None = None,
        *,
        priority: Priority = Priority.LIVE_FINAL,
        within_s: float | None = None,
        partials: bool = True,
    ) -> Session:
        """Transcribe audio that will be fed, else as :meth:`add`. The clip's media is not used."""
        sound = AudioQueue(self._settings.session_s, self._wake, clock=self._clock)
        state = self._state(clip, sound, options)
        self._schedule(state, priority, within_s, partials=partials)
        cancel = self._canceller(state, sound)
        session = Session(state.key, cancel, sound)
        self._enter(state, _Entry(lambda: session, sound, clip, cancel))
        return session

    def live(self, clip: Clip, options: ClipOptions, owner: object = None) -> LiveSession:
        """Transcribe audio while it is spoken, by options whose ``live`` is set.

        The clip's media is not used. ``owner`` is kept as long as the session is. A session that
        nobody holds any more is cancelled. Raises as :meth:`add` does.
        """
        sound = AudioQueue(self._settings.live_s, self._wake, clock=self._clock)
        state = self._state(clip, sound, options)
        state.priority = Priority.LIVE_FINAL
        cancel = self._canceller(state, sound)
        session = LiveSession(state.key, sound, cancel, self._clock, owner, self._metrics)
        self._enter(state, _Entry(weakref.ref(session), sound, clip, cancel))
        weakref.finalize(session, cancel).atexit = False
        return session

    def close(self, *, cancel: bool = False) -> None:
        """Close the loop: flush sessions and transcribe all clips to their ends, or cancel them."""
        if cancel:
            self.stop()
        else:
            for entry in self._close_entrance():
                handle = entry.handle()
                if isinstance(handle, LiveSession):
                    handle.end()
                elif isinstance(handle, Session):
                    handle.flush()
            self._wake()
        self._thread.join()
        atexit.unregister(self._at_exit)

    def stop(self) -> None:
        """Cancel all clips, and end the loop soon; does not wait."""
        for entry in self._close_entrance():
            entry.cancel()
        self._wake()

    @property
    def newcomers_wait_s(self) -> float:
        """How long the first of the clips waits that had no window yet; 0 if none does."""
        with self._changed:
            waiting = [sound.available_since for sound in self._newcomers.values()]
        now = self._clock()
        return max((now - since for since in waiting if since is not None), default=0.0)

    @property
    def closed(self) -> bool:
        """Whether no more clips may come."""
        return self._closing

    def _close_entrance(self) -> list[_Entry]:
        with self._changed:
            self._closing = True
            return list(self._entries.values())

    def __enter__(self) -> TranscriptionLoop:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self.close(cancel=kind is not None)

    def _state(self, clip: Clip, sound: AudioQueue, options: ClipOptions | None) -> ClipState:
        long_form = self._strategy.open(clip, options)
        with self._changed:
            number, self._added = self._added, self._added + 1
        return ClipState(number, clip, sound, long_form, self._metrics, contained=Exception)

    def _schedule(
        self, state: ClipState, priority: Priority, within_s: float | None, *, partials: bool
    ) -> None:
        state.priority, state.partials = priority, partials
        state.deadline_s = None if within_s is None else self._clock() + within_s

    def _enter(self, state: ClipState, entry: _Entry) -> None:
        with self._changed:
            if self._closing:
                raise UsageError("the loop is closed: add clips before closing it")
            self._entries[state.number] = entry
            if state.live is None:
                self._newcomers[state.number] = entry.sound
            self._commands.append(lambda: self._scheduler.add(state))
        self._wake()

    def _canceller(self, state: ClipState, sound: AudioQueue) -> Callable[[], None]:
        def cancel() -> None:
            with self._changed:
                self._commands.append(lambda: self._scheduler.cancel(state.number))
            sound.stop()
            self._wake()

        return cancel

    def _decoded(self, clip: Clip) -> Audio:
        """The clip's audio; decoding starts in the thread that takes the first block."""
        if self._decoder is None:
            raise UsageError("this loop has no decoder: expected a decoded clip")
        decoder = self._decoder

        damage: list[Damage] = []

        def blocks() -> Iterator[Samples]:
            audio = decoder.decode(clip)
            yield from audio.blocks
            damage.extend(audio.damage)

        return Audio(clip, blocks(), damage)

    def _wake(self) -> None:
        with self._changed:
            self._work_came = True
            self._changed.notify_all()

    # Called in the engine's thread.

    def _serve(self) -> None:
        try:
            while self._step():
                pass
        except Exception as error:
            _log.exception("the transcription loop has ended with an error")
            self._fail_all(f"the loop has ended with an error: {error}")
        finally:
            self._pump.stop()

    def _step(self) -> bool:
        """Run what is ready, or wait; False once everything has ended."""
        while len(self._in_flight) < self._batches_in_flight:
            self._run_commands()
            batch = self._scheduler.next_batch(self._clock())
            self._deliver(self._scheduler.take_events())
            if batch is None:
                break
            self._count_batch(batch)
            runner = self._runners[batch.urgent]
            self._in_flight.append((batch, runner, runner.begin(batch.windows)))
        if not self._in_flight:
            return self._scheduler.has_sound or self._wait()
        batch, runner, running = self._in_flight.popleft()
        with self._metrics.time("engine"):
            results = runner.finish(running)
        self._run_commands()
        self._deliver(self._scheduler.complete(batch, results, self._clock()))
        return True

    def _count_batch(self, batch: Batch) -> None:
        with self._changed:
            for clip, _ in batch.members:
                self._newcomers.pop(clip.number, None)
        self._metrics.observe("batch_windows", len(batch.members))
        for wait in batch.waits:
            self._metrics.observe("queue_wait", wait.seconds, wait.priority.name.lower())
            if wait.first and wait.priority > Priority.LIVE_INTERIM:
                self._metrics.observe("first_wait", wait.seconds)

    def _run_commands(self) -> None:
        """Execute the callers' requests to add and cancel clips."""
        with self._changed:
            self._work_came = False
            commands, self._commands = self._commands, []
        for command in commands:
            command()

    def _wait(self) -> bool:
        with self._changed:
            while not self._work_came:
                if self._closing and not self._entries:
                    return False
                self._changed.wait()
        return True

    def _deliver(self, events: Sequence[Event]) -> None:
        for event in events:
            with self._changed:
                entry = self._entries[event.number]
                if isinstance(event, ClipDone):
                    del self._entries[event.number]
                    self._newcomers.pop(event.number, None)
            if isinstance(event, ClipDone):
                entry.sound.stop()
                count_result(event.result, self._metrics)
            self._tell(entry, event)

    def _tell(self, entry: _Entry, event: Event) -> None:
        handle = entry.handle()
        if handle is not None:
            handle.put(event)

    def _fail_all(self, reason: str) -> None:
        with self._changed:
            self._closing = True
            entries, self._entries = self._entries, {}
        for number, entry in entries.items():
            clip = entry.clip
            entry.sound.stop()
            failure = Failure(clip.key, clip.name, "engine", reason, clip.origin)
            self._tell(entry, ClipDone(number, failure))
