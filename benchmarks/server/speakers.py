"""Live sessions at a server, each fed at its own pace: when words are shown, and are final.

They speak Deepgram's protocol, whose results say where each word ends in the sound. A word's time
is counted from there to the arrival of the first result that has it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any
from urllib.parse import urlencode

import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.server.clients import Address
from quest22.records import SAMPLE_RATE_HZ, Samples

BLOCK_S = 0.04
APART_S = 1.3
"""Sessions begin so long after each other."""

SAME_WORD_S = 0.15
"""A word that ends at most so much later than the last one shown is that one, heard again."""


@dataclass(slots=True)
class Delays:
    """Seconds from the end of words to their arrival, of all sessions together."""

    shown_s: list[float] = field(default_factory=list)
    final_s: list[float] = field(default_factory=list)
    words: int = 0


def speak(address: Address, sounds: Sequence[Samples], model: str, language: str) -> Delays:
    """Play each sound in a session of its own, all at once; returns when all is final."""
    return asyncio.run(_speak(address, sounds, model, language))


def summary(seconds: Sequence[float]) -> tuple[float, float] | None:
    """Median and 95th percentile; None for fewer than two."""
    if len(seconds) < 2:
        return None
    parts = quantiles(seconds, n=20, method="inclusive")
    return parts[9], parts[18]


async def _speak(address: Address, sounds: Sequence[Samples], model: str, language: str) -> Delays:
    delays = Delays()
    query = urlencode(
        {
            "model": model,
            "language": language,
            "encoding": "linear16",
            "sample_rate": SAMPLE_RATE_HZ,
            "interim_results": "true",
        }
    )
    url = f"ws://{address.host}:{address.port}/v1/listen?{query}"
    sessions = (
        _session(url, sound, number * APART_S, delays) for number, sound in enumerate(sounds)
    )
    await asyncio.gather(*sessions)
    return delays


async def _session(url: str, sound: Samples, wait_s: float, delays: Delays) -> None:
    await asyncio.sleep(wait_s)
    async with connect(url, max_size=None, compression=None) as socket:
        begun_s = asyncio.get_running_loop().time()
        feeding = asyncio.ensure_future(_feed(socket, sound, begun_s))
        listener = _Listener(begun_s, delays)
        async for message in socket:
            listener.hear(json.loads(message))
        await feeding


async def _feed(socket: ClientConnection, sound: Samples, begun_s: float) -> None:
    pcm = (np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes()
    step = 2 * round(BLOCK_S * SAMPLE_RATE_HZ)
    for number, start in enumerate(range(0, len(pcm), step)):
        due_s = begun_s + (number + 1) * BLOCK_S
        await asyncio.sleep(max(0.0, due_s - asyncio.get_running_loop().time()))
        await socket.send(pcm[start : start + step])
    await socket.send('{"type": "CloseStream"}')


class _Listener:
    def __init__(self, begun_s: float, delays: Delays) -> None:
        self._begun_s = begun_s
        self._delays = delays
        self._shown_until_s = 0.0

    def hear(self, message: dict[str, Any]) -> None:
        if message.get("type") != "Results":
            return
        now_s = asyncio.get_running_loop().time() - self._begun_s
        words = message["channel"]["alternatives"][0]["words"]
        for word in words:
            if word["end"] > self._shown_until_s + SAME_WORD_S:
                self._shown_until_s = word["end"]
                self._delays.shown_s.append(now_s - word["end"])
        if message["is_final"]:
            self._delays.words += len(words)
            if words and message["speech_final"]:
                self._delays.final_s.append(now_s - words[-1]["end"])
