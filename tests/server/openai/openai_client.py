"""Run by the Python of an environment with ``openai``: argv is the address and a WAV file."""

import asyncio
import json
import sys
from pathlib import Path

from openai import AsyncOpenAI, BadRequestError, NotFoundError, OpenAI

url, talk = sys.argv[1], Path(sys.argv[2])
client = OpenAI(base_url=f"{url}/v1", api_key="none")
audio = client.audio
found = {"models": [each.id for each in client.models.list()]}
found["model"] = client.models.retrieve("whisper-1").id

for name, file in {
    "path": talk,
    "bytes": talk.read_bytes(),
    "tuple": ("talk.wav", talk.read_bytes(), "audio/wav"),
    "no name": ("", talk.read_bytes()),
}.items():
    found[name] = audio.transcriptions.create(file=file, model="whisper-1", language="en").text
with talk.open("rb") as file:
    found["file"] = audio.transcriptions.create(file=file, model="gpt-4o-transcribe").text

for form in ("json", "text", "srt", "vtt", "verbose_json", "diarized_json"):
    answer = audio.transcriptions.create(file=talk, model="whisper-1", response_format=form)
    found[form] = answer if isinstance(answer, str) else answer.model_dump()

words = audio.transcriptions.create(
    file=talk,
    model="whisper-1",
    response_format="verbose_json",
    timestamp_granularities=["word", "segment"],
)
found["words"] = [each.word for each in words.words]
found["segments"] = [each.text for each in words.segments]
everything = audio.transcriptions.create(
    file=talk,
    model="gpt-transcribe",
    include=["logprobs"],
    chunking_strategy={"type": "server_vad", "threshold": 0.4, "silence_duration_ms": 300},
    keywords=["Quest"],
    languages=["en", "ru"],
    prompt="A talk.",
    temperature=0.0,
)
found["logprobs"] = len(everything.logprobs)
found["languages"] = [each.code for each in everything.languages]
found["translation"] = audio.translations.create(file=talk, model="whisper-1").text

for form in ("json", "text", "diarized_json"):
    events = list(
        audio.transcriptions.create(
            file=talk, model="gpt-4o-transcribe", stream=True, response_format=form
        )
    )
    found[f"stream {form}"] = {
        "deltas": "".join(e.delta for e in events if e.type == "transcript.text.delta"),
        "segments": [e.speaker for e in events if e.type == "transcript.text.segment"],
        "done": events[-1].text,
    }

with audio.transcriptions.with_streaming_response.create(
    file=talk, model="whisper-1", response_format="text"
) as response:
    found["request id"] = response.headers["x-request-id"]

try:
    audio.transcriptions.create(file=("a.wav", b"<html>nothing"), model="whisper-1")
except BadRequestError as error:
    found["bad"] = [error.param, error.message, error.request_id]
try:
    audio.transcriptions.create(file=talk, model="large")
except NotFoundError as error:
    found["unknown"] = [error.code, error.type]


async def at_once() -> list[str]:
    async with AsyncOpenAI(base_url=f"{url}/v1", api_key="none") as several:
        create = several.audio.transcriptions.create
        answers = [create(file=talk, model="whisper-1") for _ in range(4)]
        texts = [each.text for each in await asyncio.gather(*answers)]
        stream = await create(file=talk, model="whisper-1", stream=True)
        texts.append([each async for each in stream][-1].text)
        return texts


found["async"] = asyncio.run(at_once())
print(json.dumps(found))
