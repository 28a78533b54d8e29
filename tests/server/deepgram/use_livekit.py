"""Run by the Python of an environment with ``livekit-plugins-deepgram``; as ``use_sdk.py``."""

import asyncio
import json
import sys
from pathlib import Path

from livekit import rtc
from livekit.agents import stt, utils
from livekit.plugins import deepgram

PIECE, PIECE_S = 3_200, 0.1
PACE = 4
url, raw, _ = sys.argv[1:4]


def frame(data):
    return rtc.AudioFrame(data, 16_000, 1, len(data) // 2)


async def live(service):
    stream = service.stream()
    found = {"types": [], "text": []}

    async def speak():
        data = Path(raw).read_bytes()
        for start in range(0, len(data), PIECE):
            stream.push_frame(frame(data[start : start + PIECE]))
            await asyncio.sleep(PIECE_S / PACE)
        stream.end_input()

    speaking = asyncio.create_task(speak())
    async for event in stream:
        found["types"].append(event.type.value)
        if event.type == stt.SpeechEventType.FINAL_TRANSCRIPT:
            found["text"] += event.alternatives[0].text.split()
    await speaking
    await stream.aclose()
    return found


async def main():
    async with utils.http_context.open():
        service = deepgram.STT(base_url=f"{url}/v1/listen", api_key="key", keyterm=["laboratory"])
        event = await service.recognize(frame(Path(raw).read_bytes()))
        found = {"live": await live(service), "recording": event.alternatives[0].text.split()}
        await service.aclose()
    print(json.dumps(found))


asyncio.run(main())
