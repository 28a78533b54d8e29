"""Sound that a web server sends without an end, as radio stations do."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from quest22.capture.notices import Notify
from quest22.capture.pipe import PipeSource
from quest22.capture.raw_pcm import Piece
from quest22.capture.settings import CaptureSettings
from quest22.capture.stop import Stop
from quest22.errors import ClipError
from quest22.source.io.address import redact
from quest22.version import __version__

CONNECT_S = 20.0
READ_BYTES = 16 * 1024

logger = logging.getLogger(__name__)


def open_endless(address: str) -> Any | None:
    """The answer of a web server whose end is not known; None for a file, and for no answer.

    A file is read in ranges, with retries, by :mod:`quest22.capture.recording`, which also tells
    what is wrong with an address.
    """
    if not address.lower().startswith(("http://", "https://")):
        return None
    request = Request(address, headers={"User-Agent": f"quest22/{__version__}"})  # noqa: S310
    try:
        answer = urlopen(request, timeout=CONNECT_S)  # noqa: S310 -- the scheme is checked above
    except (OSError, URLError, HTTPException, ValueError):
        logger.debug("%s cannot be opened as a stream", redact(address), exc_info=True)
        return None
    if answer.headers.get("Content-Length") or answer.headers.get("Accept-Ranges") == "bytes":
        answer.close()
        return None
    return answer


class WebStreamSource(PipeSource):
    """A :class:`SoundSource` of an answer that goes on; a thread reads it into a pipe."""

    def __init__(self, answer: Any, settings: CaptureSettings, stop: Stop, notify: Notify) -> None:
        reading, self._writing = os.pipe()
        super().__init__(settings, stop, notify, reading)
        self.title = redact(str(settings.source))
        self._answer = answer
        self._broken: Exception | None = None
        threading.Thread(target=self._pump, name="quest22-web", daemon=True).start()

    def _pieces(self) -> Iterator[Piece]:
        try:
            yield from super()._pieces()
        except ClipError:  # a break explains it
            if self._broken is None:
                raise
        if self._broken is not None and not self._stop.is_set:
            is_cut = isinstance(self._broken, HTTPException)
            reason = "the server ended it halfway" if is_cut else self._broken
            raise ClipError("source", f"the connection broke: {reason}") from self._broken

    def _pump(self) -> None:
        with os.fdopen(self._writing, "wb", 0) as pipe, self._answer:
            try:
                while data := self._answer.read1(READ_BYTES):
                    pipe.write(data)
            except BrokenPipeError:  # nobody listens any more
                return
            except (OSError, HTTPException, ValueError) as exc:
                self._broken = exc  # known before the pipe ends
