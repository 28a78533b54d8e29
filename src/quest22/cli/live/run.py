"""Runs the live sessions of a source, side by side, and ends them politely.

Sessions have threads of their own; the main thread waits and lets the view follow. So Ctrl-C, which
the main thread alone hears, never interrupts a write: it ends the sound, and the rest follows.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from types import FrameType

from quest22.capture.sound_source import LiveSound, SoundSource
from quest22.capture.stop import Stop
from quest22.cli.exits import Exit, drop_standard_output, say
from quest22.cli.live.hearing import Hearing, OpenSession
from quest22.cli.live.speaker import Speaker
from quest22.cli.live.views import View
from quest22.errors import ClipError
from quest22.records import LiveEvent
from quest22.sink.live_files import LiveFiles

TICK_S = 0.2
LEAVE_AFTER_S = 1.0
"""A source that has not ended so long after Ctrl-C is left behind."""
WARN_AFTER_S = 5.0
"""A source that gives nothing for so long is told once, and again when it goes on."""

OpenNumberedFiles = Callable[[Speaker, int], LiveFiles]


@dataclass(slots=True)
class _Counts:
    """What became of the sessions; ``files`` counts those that have some."""

    heard_s: float = 0.0
    segments: int = 0
    failed: int = 0
    files: int = 0
    errors: list[BaseException] = field(default_factory=list)


class LiveRun:
    """All sessions of one source."""

    def __init__(
        self,
        source: SoundSource,
        open_session: OpenSession,
        open_files: OpenNumberedFiles,
        view: View,
        stop: Stop,
    ) -> None:
        """``open_files`` opens the files of a speaker, and is told how many have been heard."""
        self._source = source
        self._open_session = open_session
        self._open_numbered = open_files
        self._view = view
        self._stop = stop
        self._open: list[Hearing] = []
        self._accepting = True
        self._counts = _Counts()
        self._warned: set[int] = set()
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._interrupted = self._reader_gone = False

    def run(self, listening: str) -> Exit:
        """Until the sound ends, or Ctrl-C; ``listening`` is shown while nobody speaks.

        A session that fails ends alone. Raises what the others cannot survive either, such as files
        that cannot be written, and :class:`KeyboardInterrupt` at a second Ctrl-C.
        """
        accepting = threading.Thread(target=self._accept, name="quest22-live", daemon=True)
        with self._view, _polite_signals(self._interrupt):
            accepting.start()
            while self._open or (self._accepting and not self._stop.is_set):
                self._changed.wait(TICK_S)
                self._changed.clear()
                self._tick(listening)
        if self._counts.errors:
            raise self._counts.errors[0]
        return self._exit()

    def summary(self) -> str:
        """``2:13 of sound, 31 segments``."""
        minutes, seconds = divmod(round(self._counts.heard_s), 60)
        segments = self._counts.segments
        plural = "" if segments == 1 else "s"
        return f"{minutes}:{seconds:02d} of sound, {segments:,} segment{plural}"

    # In the main thread.

    def _interrupt(self) -> None:
        self._interrupted = True
        self._stop.set()

    def _tick(self, listening: str) -> None:
        with self._lock:
            hearings = list(self._open)
        speakers = [each.speaker for each in hearings]
        for each in hearings:
            self.warn(each.speaker)
            if self._stop.is_set and each.speaker.waited_s > LEAVE_AFTER_S:
                each.leave()
        ends = self._stop.is_set or not (speakers or self._accepting)
        state = "finishing …" if ends else "" if speakers else listening
        with suppress(BrokenPipeError):  # whoever writes next finds that out
            self._view.tick(speakers, state)

    def warn(self, speaker: Speaker) -> None:
        """Say that a source gives nothing, and that it does again."""
        waited_s = speaker.waited_s
        if waited_s >= WARN_AFTER_S and speaker.number not in self._warned:
            self._warned.add(speaker.number)
            say(f"no sound has come from {speaker.name} for {WARN_AFTER_S:.0f} s: still listening")
        elif waited_s < WARN_AFTER_S and speaker.number in self._warned:
            self._warned.remove(speaker.number)
            say(f"sound comes from {speaker.name} again")

    def _exit(self) -> Exit:
        if self._reader_gone:
            drop_standard_output()
            return Exit.READER_GONE
        if self._interrupted:
            return Exit.INTERRUPTED
        if not self._counts.failed:
            return Exit.DONE
        return Exit.SOME_FAILED if self._counts.heard_s else Exit.NOTHING_DONE

    # In threads of their own.

    def _accept(self) -> None:
        try:
            for number, sound in enumerate(self._source.sounds(), start=1):
                self._begin(Speaker(number, sound.name, sound.channel), sound)
        except BaseException as error:
            self._counts.errors.append(error)
        finally:
            self._accepting = False
            self._changed.set()

    def _begin(self, speaker: Speaker, sound: LiveSound) -> None:
        hearing = Hearing(speaker, sound, partial(self._fail, speaker))
        with self._lock:
            self._open.append(hearing)
        name = f"quest22-live-{speaker.number}"
        threading.Thread(target=self._hear, args=(hearing,), name=name, daemon=True).start()

    def _fail(self, speaker: Speaker, reason: str) -> None:
        if self._interrupted and not speaker.heard_s:
            return  # nothing came, as it was not waited for
        with self._lock:
            self._counts.failed += 1
        kept = "; what was said until then is kept" if speaker.heard_s else ""
        say(f"{speaker.name}: {reason}{kept}")

    def _hear(self, hearing: Hearing) -> None:
        try:
            hearing.run(self._open_session, self._open_files, self._show)
        except ClipError as error:
            self._fail(hearing.speaker, error.reason)
        except BaseException as error:
            self._counts.errors.append(error)
            self._stop.set()
        finally:
            with self._lock:
                self._open.remove(hearing)
                self._counts.heard_s += hearing.speaker.heard_s
                self._counts.segments += hearing.segments
            self._changed.set()

    def _open_files(self, speaker: Speaker) -> LiveFiles:
        with self._lock:
            self._counts.files += 1
            return self._open_numbered(speaker, self._counts.files)

    def _show(self, speaker: Speaker, event: LiveEvent) -> None:
        if self._reader_gone:
            return
        try:
            self._view.show(speaker, event)
        except BrokenPipeError:
            self._reader_gone = True
            self._stop.set()


@contextmanager
def _polite_signals(interrupt: Callable[[], None]) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM calls ``interrupt``, the second one is as always."""

    def first(_number: int, _frame: FrameType | None) -> None:
        for each in before:
            signal.signal(each, signal.default_int_handler)
        interrupt()

    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    for each in before:
        signal.signal(each, first)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
