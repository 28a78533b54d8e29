"""Run by the Python of an environment with ``openai[realtime]``.

argv: the address, and ``ga``, ``manual`` or ``beta``. Each line of standard input names a file of
16-bit samples at 24 kHz and how many turns it has; a line of JSON answers with what was heard.
"""

import asyncio
import base64
import json
import sys
from pathlib import Path

from openai import AsyncOpenAI

PIECE, PIECE_S = 4_800, 0.1
PACE = 4
PREFIX = "conversation.item.input_audio_transcription"
url, mode = sys.argv[1:3]
TRANSCRIPTION = {"model": "gpt-4o-transcribe", "language": "en"}
SESSIONS = {
    "ga": {
        "type": "transcription",
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24_000},
                "transcription": TRANSCRIPTION,
                "noise_reduction": {"type": "near_field"},
                "turn_detection": {"type": "server_vad", "silence_duration_ms": 400},
            }
        },
        "include": ["item.input_audio_transcription.logprobs"],
    },
    "manual": {
        "type": "transcription",
        "audio": {"input": {"transcription": TRANSCRIPTION, "turn_detection": None}},
    },
    "beta": {
        "input_audio_format": "pcm16",
        "input_audio_transcription": TRANSCRIPTION,
        "turn_detection": {"type": "server_vad", "silence_duration_ms": 400},
    },
}


async def configure(connection):
    if mode == "beta":
        await connection.transcription_session.update(session=SESSIONS[mode])
    else:
        await connection.session.update(session=SESSIONS[mode])


async def speak(connection, path):
    with Path(path).open("rb") as file:
        while data := file.read(PIECE):
            audio = base64.b64encode(data).decode()
            await connection.input_audio_buffer.append(audio=audio)
            await asyncio.sleep(PIECE_S / PACE)
    if mode == "manual":
        await connection.input_audio_buffer.commit()


async def hear(connection, found, heard):
    async for event in connection:
        found["types"].append(event.type)
        found["classes"].add(type(event).__name__)
        if event.type.endswith("session.created"):
            await configure(connection)
        elif event.type.endswith("session.updated"):
            heard.put_nowait(None)
        elif event.type == f"{PREFIX}.delta":
            found["deltas"] += event.delta
        elif event.type == f"{PREFIX}.completed":
            found["texts"].append(event.transcript)
            heard.put_nowait(event.transcript)
        elif event.type == "error":
            raise SystemExit(f"error: {event.error}")


async def main():
    websocket_url = url.replace("http", "ws", 1) + "/v1"
    client = AsyncOpenAI(base_url=f"{url}/v1", websocket_base_url=websocket_url, api_key="sk-test")
    query = {"intent": "transcription"}
    if mode == "beta":
        manager = client.beta.realtime.connect(model="gpt-4o-transcribe", extra_query=query)
    else:
        manager = client.realtime.connect(
            extra_query=query, on_reconnecting=lambda _: None, max_retries=10
        )
    async with manager as connection:
        found = {"types": [], "classes": set(), "texts": [], "deltas": ""}
        heard = asyncio.Queue()
        hearing = asyncio.create_task(hear(connection, found, heard))
        await heard.get()
        while line := await asyncio.to_thread(sys.stdin.readline):
            path, turns = line.split()
            await speak(connection, path)
            said = 0
            while said < int(turns):
                said += await asyncio.wait_for(heard.get(), 120) is not None
            print(json.dumps({**found, "classes": sorted(found["classes"])}), flush=True)
            found.update(types=[], texts=[], deltas="")
        hearing.cancel()


asyncio.run(main())
