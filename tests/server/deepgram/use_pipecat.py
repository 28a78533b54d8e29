"""Run by the Python of an environment with ``pipecat-ai[deepgram]``; as ``use_sdk.py``."""

import asyncio
import json
import sys
from pathlib import Path

from loguru import logger
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.deepgram.stt import DeepgramSTTService
from pipecat.workers.runner import WorkerRunner

PIECE, PIECE_S = 3_200, 0.1
PACE = 4
QUIET_S = 10
url, raw, _ = sys.argv[1:4]
logger.remove()


class Listener(FrameProcessor):
    """The end of the pipeline."""

    def __init__(self):
        super().__init__()
        self.heard = asyncio.Queue()
        self.interim = self.finalized = self.errors = 0

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, TranscriptionFrame):
            self.finalized += bool(frame.finalized)
            self.heard.put_nowait(frame.text)
        self.interim += isinstance(frame, InterimTranscriptionFrame)
        self.errors += isinstance(frame, ErrorFrame)
        await self.push_frame(frame, direction)


async def converse(worker, listener):
    await worker.queue_frame(VADUserStartedSpeakingFrame())
    data = Path(raw).read_bytes()
    for start in range(0, len(data), PIECE):
        await worker.queue_frame(InputAudioRawFrame(data[start : start + PIECE], 16_000, 1))
        await asyncio.sleep(PIECE_S / PACE)
    await worker.queue_frame(VADUserStoppedSpeakingFrame())
    texts = [await asyncio.wait_for(listener.heard.get(), 120)]
    try:
        while True:
            texts.append(await asyncio.wait_for(listener.heard.get(), QUIET_S))
    except TimeoutError:
        pass
    counts = {"interim": listener.interim, "errors": listener.errors}
    print(json.dumps({"text": " ".join(texts).split(), **counts}), flush=True)
    await worker.queue_frame(EndFrame())


async def main():
    service = DeepgramSTTService(api_key="key", base_url=url.replace("http", "ws", 1))
    listener = Listener()
    params = PipelineParams(audio_in_sample_rate=16_000)
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
