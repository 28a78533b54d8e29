"""Clients that mean well: what they are told must be right whatever others do."""

from __future__ import annotations

import functools
import io
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import numpy as np
import soundfile
from websockets.sync.client import connect

from quest22.evaluation.score import word_errors
from quest22.records import SAMPLE_RATE_HZ
from tests.support.abuse import wire
from tests.support.recordings import recordings
from tests.support.server_process import ServerProcess

COUNT, MAX_RECORDING_S = 6, 20.0
LIVE = "/v1/listen?" + urlencode(
    {"model": "nano", "language": "en", "encoding": "linear16", "sample_rate": SAMPLE_RATE_HZ}
)
MAX_ERROR_RATE = 0.15
"""Of a live session's words, against the transcript of the recording."""


@dataclass(frozen=True)
class Spoken:
    """A recording: a WAV file, and its samples as 16-bit numbers."""

    wav: bytes
    pcm: bytes

    @property
    def duration_s(self) -> float:
        return len(self.pcm) / 2 / SAMPLE_RATE_HZ


@functools.cache
def spoken() -> Sequence[Spoken]:
    """Some recordings that nano understands."""
    found = []
    for samples in recordings("en", COUNT, MAX_RECORDING_S):
        file = io.BytesIO()
        soundfile.write(file, samples, SAMPLE_RATE_HZ, format="WAV", subtype="PCM_16")
        pcm = np.clip(np.round(samples * 32767), -32768, 32767).astype("<i2").tobytes()
        found.append(Spoken(file.getvalue(), pcm))
    return found


class Honest:
    """Knows what a server says of each recording when it has nothing else to do."""

    def __init__(self, server: ServerProcess) -> None:
        self.texts = [transcript(server, each.wav) for each in spoken()]
        assert all(self.texts)

    def check(self, server: ServerProcess, number: int = 0) -> None:
        """A recording is transcribed as ever."""
        number %= len(self.texts)
        assert transcript(server, spoken()[number].wav) == self.texts[number]

    def check_live(self, server: ServerProcess, number: int = 0) -> None:
        """And so is a live session; its words may differ a little, as its windows do."""
        number %= len(self.texts)
        self.compare_live(number, live_text(server, spoken()[number].pcm))

    def compare_live(self, number: int, text: str) -> None:
        errors = word_errors(self.texts[number], text)
        assert (errors.rate or 0.0) <= MAX_ERROR_RATE, (self.texts[number], text)


def transcript(server: ServerProcess, sound: bytes, timeout_s: float = 300) -> str:
    """The text of a recording; must come."""
    answer = wire.answer_to(server, wire.upload(sound, language="en"), timeout_s)
    assert answer.status == 200, (answer.status, answer.body[:500])
    return str(answer.json()["text"])


def live_text(server: ServerProcess, pcm: bytes, pace: float = 0.0) -> str:
    """The final text of a live session, fed so many times slower than it is spoken."""
    with connect(server.websocket_url + LIVE, compression=None, open_timeout=60) as socket:
        for start in range(0, len(pcm), 6400):
            socket.send(pcm[start : start + 6400])
            time.sleep(pace * 0.2)
        socket.send('{"type": "CloseStream"}')
        return final_text(map(str, socket))


def final_text(messages: Iterable[str]) -> str:
    """What is final in Deepgram's messages."""
    texts = []
    for message in messages:
        said = json.loads(message)
        if said["type"] == "Results" and said["is_final"]:
            texts.append(said["channel"]["alternatives"][0]["transcript"])
    return " ".join(filter(None, texts))
