"""Runs live sessions: feeds each its sound, and shows and writes what comes of it.

Each session has two threads, one that feeds it and one that takes its events; the main thread waits
and lets the view follow. So Ctrl-C, which the main thread alone hears, never interrupts a write: it
ends the sound, and the rest follows. A source that waits for a server, deaf to it, is left behind.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Protocol

from quest22.capture.sound_source import LiveSound, SoundSource
from quest22.capture.stop import Stop
from quest22.cli.exits import Exit, drop_standard_output, say
from quest22.cli.live.speaker import Speaker
from quest22.cli.live.views import View
from quest22.errors import ClipError, unexpected
from quest22.records import LiveEvent, Samples
from quest22.sink.live_files import LiveFiles

TICK_S = 0.2
LEAVE_AFTER_S = 1.0
"""A source that has not ended so long after Ctrl-C is left behind."""
WARN_AFTER_S = 5.0
"""A source that gives nothing for so long is told once, and again when it goes on."""

logger = logging.getLogger(__name__)


class Session(Protocol):
    """What is used of :class:`quest22.LiveSession`."""

    def feed(self, samples: Samples) -> bool: ...

    def end(self) -> None: ...

    def __iter__(self) -> Iterator[LiveEvent]: ...


OpenSession = Callable[[], AbstractContextManager[Session]]
OpenFiles = Callable[[int], LiveFiles]


@dataclass(slots=True, eq=False)
class _Open:
    """A session that is fed; ``left``: its source was left behind."""

    speaker: Speaker
    session: Session
    left: bool = False


@dataclass(slots=True)
class _Counts:
    """What became of the sessions."""

    heard_s: float = 0.0
    segments: int = 0
    failed: int = 0
    errors: list[BaseException] = field(default_factory=list)


class LiveRun:
    """All sessions of one source."""

    def __init__(
        self,
        source: SoundSource,
        open_session: OpenSession,
        open_files: OpenFiles,
        view: View,
        stop: Stop,
    ) -> None:
        self._source = source
        self._open_session = open_session
        self._open_files = open_files
        self._view = view
        self._stop = stop
        self._speakers: list[Speaker] = []
        self._fed: list[_Open] = []
        self._threads: list[threading.Thread] = []
        self._counts = _Counts()
        self._warned: set[int] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._interrupted = self._reader_gone = False

    def run(self, listening: str) -> Exit:
        """Until the sound ends, or Ctrl-C; ``listening`` is shown while nobody speaks.

        Raises whatever a session did not survive, :class:`KeyboardInterrupt` at a second Ctrl-C.
        """
        accepting = threading.Thread(target=self._accept, name="quest22-live", daemon=True)
        with self._view, _polite_signals(self._interrupt):
            accepting.start()
            while not self._ended.wait(TICK_S):
                self._tick(listening)
            accepting.join()
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
            speakers = list(self._speakers)
            fed = list(self._fed)
        for speaker in speakers:
            self.warn(speaker)
        if self._stop.is_set:
            self._leave(fed)
        state = "finishing …" if self._stop.is_set else ""
        if not state and all(each.ended for each in speakers):
            state = listening
        with suppress(BrokenPipeError):  # whoever writes next finds that out
            self._view.tick(speakers, state)

    def _leave(self, fed: Sequence[_Open]) -> None:
        """End the sessions whose sources still wait for sound."""
        for each in fed:
            if each.speaker.waited_s > LEAVE_AFTER_S and not each.left:
                each.left = True
                each.session.end()

    def warn(self, speaker: Speaker) -> None:
        """Say that a source gives nothing, and that it does again."""
        waited_s = speaker.waited_s
        if waited_s >= WARN_AFTER_S and speaker.number not in self._warned:
            self._warned.add(speaker.number)
            say(f"no sound has come from {speaker.name} for {WARN_AFTER_S:.0f} s: still listening")
        elif waited_s < WARN_AFTER_S and speaker.number in self._warned and not speaker.ended:
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
                speaker = Speaker(number, sound.name)
                with self._lock:
                    self._speakers.append(speaker)
                thread = threading.Thread(
                    target=self._guarded,
                    args=(speaker, sound),
                    name=f"quest22-live-{number}",
                    daemon=True,
                )
                self._threads.append(thread)
                thread.start()
            for thread in self._threads:
                thread.join()
        except BaseException as error:
            self._counts.errors.append(error)
        finally:
            self._ended.set()

    def _guarded(self, speaker: Speaker, sound: LiveSound) -> None:
        try:
            self._hear(speaker, sound)
        except BaseException as error:
            self._counts.errors.append(error)
            self._stop.set()
        finally:
            speaker.ended = True

    def _hear(self, speaker: Speaker, sound: LiveSound) -> None:
        """One session, from its first sound to its last text."""
        files = self._open_files(speaker.number)
        try:
            with self._open_session() as session:
                fed = _Open(speaker, session)
                feeding = threading.Thread(
                    target=self._feed,
                    args=(fed, sound),
                    name=f"quest22-sound-{speaker.number}",
                    daemon=True,
                )
                with self._lock:
                    self._fed.append(fed)
                feeding.start()
                for event in session:
                    if event.type == "final":
                        files.add(event)
                        self._counts.segments += bool(event.text.strip())
                    self._show(speaker, event)
                if not fed.left:
                    feeding.join()
        finally:
            files.close()
        with self._lock:
            self._counts.heard_s += speaker.heard_s

    def _show(self, speaker: Speaker, event: LiveEvent) -> None:
        if self._reader_gone:
            return
        try:
            self._view.show(speaker, event)
        except BrokenPipeError:
            self._reader_gone = True
            self._stop.set()

    def _feed(self, fed: _Open, sound: LiveSound) -> None:
        """Feed a session all of its sound. Where that breaks off, what was said is kept."""
        try:
            while (block := self._next_block(fed, sound)) is not None:
                if not fed.session.feed(block):
                    break
        except ClipError:
            logger.debug("%s has failed", fed.speaker.name, exc_info=True)  # as its events tell
        finally:
            with self._lock:
                self._fed.remove(fed)
            fed.session.end()

    def _next_block(self, fed: _Open, sound: LiveSound) -> Samples | None:
        """The next block; None at the end, also where the sound breaks off."""
        speaker = fed.speaker
        speaker.waits()
        try:
            block = next(sound.blocks, None)
        except Exception as exc:
            logger.debug("%s: its sound breaks off", speaker.name, exc_info=True)
            block = None
            if not fed.left:
                self._fail(speaker, exc.reason if isinstance(exc, ClipError) else unexpected(exc))
        if block is None or fed.left:
            speaker.waiting_since = None
            return None
        speaker.hears(block)
        return block

    def _fail(self, speaker: Speaker, reason: str) -> None:
        with self._lock:
            self._counts.failed += 1
        kept = "; what was said until then is kept" if speaker.heard_s else ""
        say(f"{speaker.name}: {reason}{kept}")


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
