"""A call with OpenAI's SDK and aiortc, neither changed: python call_openai.py URL RECORDING

Prints what came, as one object of JSON.
"""

import asyncio
import json
import sys

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaPlayer
from openai import AsyncOpenAI

SESSION = {
    "type": "transcription",
    "audio": {"input": {"transcription": {"model": "whisper-1", "language": "en"}}},
}
COMPLETED = "conversation.item.input_audio_transcription.completed"


async def call(url, recording):
    client = AsyncOpenAI(base_url=f"{url}/v1", api_key="any")
    secret = await client.realtime.client_secrets.create(
        session=SESSION, expires_after={"anchor": "created_at", "seconds": 60}
    )
    browser = AsyncOpenAI(base_url=f"{url}/v1", api_key=secret.value)
    connection = RTCPeerConnection(RTCConfiguration([]))
    connection.addTrack(MediaPlayer(recording).audio)
    channel = connection.createDataChannel("oai-events")
    events = []
    completed, closed = asyncio.Event(), asyncio.Event()

    @channel.on("message")
    def received(text):
        events.append(json.loads(text))
        if events[-1]["type"] == COMPLETED:
            completed.set()

    channel.on("close", closed.set)
    await connection.setLocalDescription(await connection.createOffer())
    answer = await browser.realtime.calls.create(
        sdp=connection.localDescription.sdp, session=SESSION
    )
    await connection.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
    await asyncio.wait_for(completed.wait(), 120)
    name = answer.response.headers["location"].rpartition("/")[2]
    await client.realtime.calls.hangup(name)
    await asyncio.wait_for(closed.wait(), 30)
    await connection.close()
    print(json.dumps({"session": secret.session.type, "events": events}))


asyncio.run(call(*sys.argv[1:]))
