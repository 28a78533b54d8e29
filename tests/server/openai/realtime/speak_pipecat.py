"""Run by the Python of an environment with ``pipecat-ai[openai]``; as ``speak_openai.py``.

argv: the address, and who ends turns: ``server``, or ``commit``, as a voice detector here would.
"""

import asyncio
import json
import sys
from pathlib import Path

from loguru import logger
from pipecat.frames.frames import (
    EndFrame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.openai.stt import OpenAIRealtimeSTTService
from pipecat.workers.runner import WorkerRunner

PIECE, PIECE_S = 4_800, 0.1
PACE = 4
url, mode = sys.argv[1:3]
logger.remove()


class Listener(FrameProcessor):
    """The end of the pipeline."""

    def __init__(self):
        super().__init__()
        self.heard = asyncio.Queue()
        self.deltas = ""

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, TranscriptionFrame):
            self.heard.put_nowait(frame.text)
        elif isinstance(frame, InterimTranscriptionFrame):
            self.deltas += frame.text
        await self.push_frame(frame, direction)


async def speak(worker, path):
    await worker.queue_frame(VADUserStartedSpeakingFrame())
    with Path(path).open("rb") as file:
        while data := file.read(PIECE):
            await worker.queue_frame(InputAudioRawFrame(data, 24_000, 1))
            await asyncio.sleep(PIECE_S / PACE)
    if mode == "commit":
        await worker.queue_frame(VADUserStoppedSpeakingFrame())


async def converse(worker, listener):
    while line := await asyncio.to_thread(sys.stdin.readline):
        path, turns = line.split()
        await speak(worker, path)
        texts = [await asyncio.wait_for(listener.heard.get(), 120) for _ in range(int(turns))]
        print(json.dumps({"texts": texts, "deltas": listener.deltas}), flush=True)
        listener.deltas = ""
    await worker.queue_frame(EndFrame())


async def main():
    service = OpenAIRealtimeSTTService(
        api_key="sk-test",
        base_url=url.replace("http", "ws", 1) + "/v1/realtime",
        turn_detection=None if mode == "server" else False,
        settings=OpenAIRealtimeSTTService.Settings(
            model="gpt-4o-transcribe" if mode == "server" else "gpt-realtime-whisper"
        ),
    )
    listener = Listener()
    params = PipelineParams(audio_in_sample_rate=24_000)
    worker = PipelineWorker(
        Pipeline([service, listener]), params=params, cancel_on_idle_timeout=False
    )
    started = asyncio.Event()

    @worker.event_handler("on_pipeline_started")
    async def _started(_worker, _frame):
        started.set()

    async def converse_when_started():
        await started.wait()
        await converse(worker, listener)

    runner = WorkerRunner()
    await runner.add_workers(worker)
    await asyncio.gather(runner.run(), converse_when_started())


asyncio.run(main())
