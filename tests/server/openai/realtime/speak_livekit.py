"""Run by the Python of an environment with ``livekit-plugins-openai``; as ``speak_openai.py``.

argv: the address, and the model's name. The file is raw samples, 16 bits at 24 kHz.
"""

import asyncio
import json
import sys
from pathlib import Path

from livekit import rtc
from livekit.agents import APIConnectOptions, stt, utils
from livekit.plugins import openai

PIECE, PIECE_S = 4_800, 0.1
PACE = 4
url, model = sys.argv[1:3]


async def speak(stream, path):
    with Path(path).open("rb") as file:
        while data := file.read(PIECE):
            stream.push_frame(rtc.AudioFrame(data, 24_000, 1, len(data) // 2))
            await asyncio.sleep(PIECE_S / PACE)


async def hear(stream, found, heard):
    async for event in stream:
        found["types"].append(event.type.value)
        if event.type == stt.SpeechEventType.FINAL_TRANSCRIPT:
            found["texts"].append(event.alternatives[0].text)
            found["languages"].append(str(event.alternatives[0].language))
            heard.put_nowait(event)


async def main():
    async with utils.http_context.open():
        service = openai.STT(
            model=model, language="en", base_url=f"{url}/v1", api_key="sk-test", use_realtime=True
        )
        options = APIConnectOptions(max_retry=60, retry_interval=0.5)
        stream = service.stream(conn_options=options)
        found = {"types": [], "texts": [], "languages": []}
        heard = asyncio.Queue()
        hearing = asyncio.create_task(hear(stream, found, heard))
        while line := await asyncio.to_thread(sys.stdin.readline):
            path, turns = line.split()
            await speak(stream, path)
            for _ in range(int(turns)):
                await asyncio.wait_for(heard.get(), 120)
            print(json.dumps(found), flush=True)
            found.update(types=[], texts=[], languages=[])
        hearing.cancel()
        await stream.aclose()
        await service.aclose()


asyncio.run(main())
