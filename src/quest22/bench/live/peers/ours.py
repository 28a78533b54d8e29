"""quest22 itself, through its Python API: ``whisper.live()``."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from quest22.api import Transcriber
from quest22.bench.live.peers.live_pipe import Job, OpenSession, Updates, same_words, serve
from quest22.records import LiveEvent, Samples
from quest22.version import __version__


def load(job: Job) -> tuple[str, OpenSession]:
    """Load the model, once for all sessions, and use it once."""
    whisper = Transcriber(job["model"], **job["model_options"])
    options = {"language": job["language"], **job["live_options"]}
    with whisper.live(**options) as session:
        session.feed(_samples(job["files"]["warmup"]))
    about = f"{__version__}, {whisper._pipeline.compute_type}"
    return about, lambda updates: _Session(whisper, options, updates)


class _Session:
    def __init__(self, whisper: Transcriber, options: dict[str, Any], updates: Updates) -> None:
        self._session = whisper.live(**options)
        self._updates = updates
        self._stable: dict[int, list[str]] = {}
        threading.Thread(target=self._read, daemon=True).start()

    def feed(self, pcm: bytes) -> None:
        self._session.feed(np.frombuffer(pcm, "<i2"))

    def end(self) -> None:
        self._session.end()

    def _read(self) -> None:
        for event in self._session:
            self._show(event)
        self._updates.ended()

    def _show(self, event: LiveEvent) -> None:
        stable = [word.text.strip() for word in event.words if word.stable]
        tail = [word.text.strip() for word in event.words if not word.stable]
        kept = same_words(self._stable.pop(event.segment, []), stable)
        final = event.type == "final"
        if not final:
            self._stable[event.segment] = stable
        self._updates.update(event.segment, kept, stable[kept:], tail, final=final)


def _samples(path: str) -> Samples:
    import soundfile

    samples: Samples = soundfile.read(path, dtype="float32")[0]
    return samples


if __name__ == "__main__":
    serve(load)
