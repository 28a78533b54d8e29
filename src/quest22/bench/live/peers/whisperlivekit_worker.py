"""WhisperLiveKit: its own audio processor, as its server uses it for each connection."""

from __future__ import annotations

import asyncio
import logging
import threading
from importlib.metadata import version
from typing import Any

from live_pipe import Job, OpenSession, Updates, serve


def load(job: Job) -> tuple[str, OpenSession]:
    """Load its engine, once for all sessions."""
    from whisperlivekit.core import TranscriptionEngine

    logging.disable(logging.WARNING)
    policy, files = job["policy"], job["files"]
    weights = files["both" if policy == "simulstreaming" else "ctranslate2"]
    engine = TranscriptionEngine(
        backend_policy=policy,
        backend="faster-whisper",
        model_size=job["model_name"],
        lan=job["language"] or "auto",
        pcm_input=True,
        warmup_file=files["warmup"],
        model_path=weights,
    )
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    about = f"{version('whisperlivekit')}, {policy}, encoder faster-whisper"
    return about, lambda updates: _Session(engine, loop, updates)


class _Session:
    def __init__(self, engine: Any, loop: asyncio.AbstractEventLoop, updates: Updates) -> None:
        from whisperlivekit.audio_processor import AudioProcessor

        self._loop = loop
        self._updates = updates
        self._processor: Any = None
        self._await(self._open(AudioProcessor, engine)).result()

    def feed(self, pcm: bytes) -> None:
        self._await(self._processor.process_audio(pcm))

    def end(self) -> None:
        self._await(self._processor.process_audio(b""))

    def _await(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    async def _open(self, kind: Any, engine: Any) -> None:
        self._processor = kind(transcription_engine=engine)
        results = await self._processor.create_tasks()
        self._reading = asyncio.create_task(self._read(results))

    async def _read(self, results: Any) -> None:
        async for shown in results:
            lines = [line.text for line in shown.lines if line.text]
            self._updates.show(" ".join(lines), shown.buffer_transcription or "")
        self._updates.ended()


if __name__ == "__main__":
    serve(load)
