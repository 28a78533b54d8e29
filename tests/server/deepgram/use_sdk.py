"""Run by the Python of an environment with ``deepgram-sdk``; prints what it was answered.

argv: the address, raw samples (16 bits at 16 kHz), a file with a container.
"""

import asyncio
import json
import sys
import threading
from pathlib import Path

from deepgram import AsyncDeepgramClient, DeepgramClient, DeepgramClientEnvironment
from deepgram.core.api_error import ApiError
from deepgram.core.events import EventType
from websockets.exceptions import InvalidStatus

PIECE = 3_200
url, raw, container = sys.argv[1:4]
socket = url.replace("http", "ws", 1)
here = DeepgramClientEnvironment(base=url, production=socket, agent=socket, agent_rest=url)
LIVE = {
    "model": "nova-3",
    "encoding": "linear16",
    "sample_rate": 16_000,
    "interim_results": True,
    "utterance_end_ms": 1000,
    "vad_events": True,
    "smart_format": True,
    "keyterm": ["laboratory", "Quest"],
}


def pieces():
    data = Path(raw).read_bytes()
    return [data[start : start + PIECE] for start in range(0, len(data), PIECE)]


def brief(messages):
    finals = [each for each in messages if each.type == "Results" and each.is_final]
    return {
        "classes": sorted({type(each).__name__ for each in messages}),
        "text": " ".join(each.channel.alternatives[0].transcript for each in finals).split(),
        "from_finalize": sum(bool(each.from_finalize) for each in finals),
        "duration": messages[-1].duration,
    }


def live():
    messages = []
    client = DeepgramClient(api_key="key", environment=here)
    with client.listen.v1.connect(**LIVE) as connection:
        connection.on(EventType.MESSAGE, messages.append)
        reading = threading.Thread(target=connection.start_listening)
        reading.start()
        for piece in pieces():
            connection.send_media(piece)
        connection.send_keep_alive()
        connection.send_finalize()
        connection.send_close_stream()
        reading.join()
    return brief(messages)


async def live_asynchronously():
    messages = []
    client = AsyncDeepgramClient(api_key="key", environment=here)
    async with client.listen.v1.connect(**LIVE) as connection:
        connection.on(EventType.MESSAGE, messages.append)
        reading = asyncio.create_task(connection.start_listening())
        for piece in pieces():
            await connection.send_media(piece)
        await connection.send_finalize()
        await connection.send_close_stream()
        await reading
    return brief(messages)


def recorded(answer):
    text = answer.results.channels[0].alternatives[0]
    return {
        "class": type(answer).__name__,
        "text": text.transcript.split(),
        "words": len(text.words),
        "paragraphs": len(text.paragraphs.paragraphs),
        "utterances": len(answer.results.utterances),
        "duration": answer.metadata.duration,
    }


WANTED = {"model": "nova-3", "smart_format": True, "utterances": True}


def recording():
    client = DeepgramClient(api_key="key", environment=here)
    with Path(container).open("rb") as file:
        parts = iter(lambda: file.read(10_000), b"")
        return recorded(client.listen.v1.media.transcribe_file(request=parts, **WANTED))


async def recording_asynchronously():
    client = AsyncDeepgramClient(api_key="key", environment=here)
    data = Path(container).read_bytes()
    return recorded(await client.listen.v1.media.transcribe_file(request=data, **WANTED))


def refused():
    client = DeepgramClient(api_key="key", environment=here)
    statuses = []
    try:
        client.listen.v1.media.transcribe_file(request=b"x", model="nova-3", redact="pci")
    except ApiError as exc:
        statuses += [exc.status_code, exc.body["err_code"]]
    try:
        with client.listen.v1.connect(**LIVE, redact="pci"):
            pass
    except ApiError as exc:
        statuses.append(exc.status_code)
    except InvalidStatus as exc:  # what the SDK lets pass of newer websockets
        statuses.append(exc.response.status_code)
    return statuses


print(
    json.dumps(
        {
            "live": live(),
            "live_asynchronously": asyncio.run(live_asynchronously()),
            "recording": recording(),
            "recording_asynchronously": asyncio.run(recording_asynchronously()),
            "refused": refused(),
        }
    )
)
