"""One session: its sound goes in, its text is shown and written.

Two threads: one feeds the session, the other takes its events. The session is opened with the first
sound, so that a source that gives none leaves no files. A source that does not hear that it is to
end, as it waits for a server, is left behind.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from quest22.capture.sound_source import LiveSound
from quest22.cli.live.speaker import Speaker
from quest22.errors import ClipError, unexpected
from quest22.records import LiveEvent, Samples
from quest22.sink.live_files import LiveFiles

logger = logging.getLogger(__name__)


class Session(Protocol):
    """What is used of :class:`quest22.LiveSession`."""

    def feed(self, samples: Samples) -> bool: ...

    def end(self) -> None: ...

    def __iter__(self) -> Iterator[LiveEvent]: ...


OpenSession = Callable[[], AbstractContextManager[Session]]
OpenFiles = Callable[[Speaker], LiveFiles]
Show = Callable[[Speaker, LiveEvent], None]


class Hearing:
    """Hears one sound to its end: ``run``, in a thread of its own."""

    def __init__(self, speaker: Speaker, sound: LiveSound, fail: Callable[[str], None]) -> None:
        """``fail`` is told why the sound breaks off."""
        self.speaker = speaker
        self.segments = 0
        self._sound = sound
        self._fail = fail
        self._left = False
        self._session: Session | None = None
        self._began: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._opened = threading.Event()

    def run(self, open_session: OpenSession, open_files: OpenFiles, show: Show) -> None:
        """From the first sound to the last text. Raises what the session did not survive."""
        feeding = threading.Thread(target=self._feed, name="quest22-sound", daemon=True)
        feeding.start()
        if not self._began.get():
            return
        try:
            files = open_files(self.speaker)
            try:
                with open_session() as session:
                    self._session = session
                    self._opened.set()
                    for event in session:
                        if event.type == "final":
                            files.add(event)
                            self.segments += bool(event.text.strip())
                        show(self.speaker, event)
            finally:
                files.close()
        except ClipError:
            self._left = True  # what else its source may do is no concern of anybody
            raise
        finally:
            self._opened.set()
        if not self._left:
            feeding.join()

    def leave(self) -> None:
        """Do not wait for the source any more; what was heard is finished."""
        if self._left:
            return
        self._left = True
        self._began.put(False)
        if self._session is not None:
            self._session.end()

    # In the feeding thread.

    def _feed(self) -> None:
        block = self._next_block()
        self._began.put(block is not None)
        if block is None:
            return
        self._opened.wait()
        session = self._session
        if session is None:  # it could not be opened
            return
        try:
            while block is not None and session.feed(block):
                block = self._next_block()
        except ClipError:  # the session has failed, as its events tell
            logger.debug("%s has failed", self.speaker.name, exc_info=True)
        finally:
            session.end()

    def _next_block(self) -> Samples | None:
        """The next block; None at the end, also where the sound breaks off."""
        self.speaker.waits()
        block = None
        try:
            block = next(self._sound.blocks, None)
        except Exception as exc:
            logger.debug("%s: its sound breaks off", self.speaker.name, exc_info=True)
            if not self._left:
                self._fail(exc.reason if isinstance(exc, ClipError) else unexpected(exc))
        if block is None or self._left:
            self.speaker.waiting_since = None
            return None
        self.speaker.hears(block)
        return block
