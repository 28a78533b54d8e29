"""A recording has the same text in every answer, and it is that of ``quest22 transcribe``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
import soundfile

from quest22.records import SAMPLE_RATE_HZ
from tests.support.forms import CONTENT_TYPE, encoded_form, sound_file, spoken
from tests.support.recordings import NANO_IS_HERE
from tests.support.running_server import RunningServer, running_server

OPENAI = "/v1/audio/transcriptions"
LONG_S = 75
"""Seconds of a recording of several windows."""

Answer = Callable[[RunningServer, bytes], str]


def openai(*fields: tuple[str, str], text: Callable[[Any], str]) -> Answer:
    """An answer of OpenAI's protocol, and where its text is."""

    def ask(server: RunningServer, data: bytes) -> str:
        body = encoded_form([("language", "en"), *fields], data)
        headers = {"content-type": CONTENT_TYPE}
        answer = httpx2.post(f"{server.url}{OPENAI}", content=body, headers=headers, timeout=600)
        assert answer.status_code == 200, answer.text
        return text(answer)

    return ask


def deepgram(server: RunningServer, data: bytes) -> str:
    url = f"{server.url}/v1/listen?language=en&smart_format=true"
    answer = httpx2.post(url, content=data, timeout=600)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["results"]["channels"][0]["alternatives"][0]["transcript"])


def of_captions(answer: Any) -> str:
    lines = [line for line in answer.text.splitlines() if "-->" not in line]
    return " ".join(line for line in lines if not line.isdecimal())


def of_segments(answer: Any) -> str:
    return "".join(each["text"] for each in answer.json()["segments"])


def of_words(answer: Any) -> str:
    return "".join(each["word"] for each in answer.json()["words"])


def of_deltas(answer: Any) -> str:
    lines = [line for line in answer.text.splitlines() if line.startswith("data: ")]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    return "".join(each.get("delta", "") for each in events)


VERBOSE = ("response_format", "verbose_json")
ANSWERS: dict[str, Answer] = {
    "json": openai(text=lambda answer: answer.json()["text"]),
    "text": openai(("response_format", "text"), text=lambda answer: answer.text),
    "srt": openai(("response_format", "srt"), text=of_captions),
    "segments": openai(VERBOSE, text=of_segments),
    "words": openai(VERBOSE, ("timestamp_granularities[]", "word"), text=of_words),
    "logprobs": openai(("include[]", "logprobs"), text=lambda answer: answer.json()["text"]),
    "stream": openai(("stream", "true"), text=of_deltas),
    "deepgram": deepgram,
}
"""Each format of an answer."""


def of_command(model: str, files: Sequence[Path], out: Path) -> list[str]:
    """The texts that ``quest22 transcribe`` writes."""
    start = [sys.executable, "-m", "quest22", "transcribe", "-q", "-m", model, "-l", "en"]
    subprocess.run([*start, "-o", str(out), *map(str, files)], check=True, timeout=1200)
    return [(out / f"{file.stem}.txt").read_text(encoding="utf-8") for file in files]


def check(server: RunningServer, files: Sequence[Path], texts: Sequence[str]) -> None:
    """Every answer to every recording has the text of the command, but for white space."""
    assert len(set(texts)) == len(texts)
    for file, text in zip(files, texts, strict=True):
        data = file.read_bytes()
        answers = {name: "".join(ask(server, data).split()) for name, ask in ANSWERS.items()}
        assert answers == dict.fromkeys(ANSWERS, "".join(text.split())), file.name


@pytest.fixture
def talks(tmp_path: Path) -> list[Path]:
    """A short recording, and one of several windows."""
    files = []
    for name, count in (("short", 2), ("long", 25)):
        samples = spoken("en", count)[: LONG_S * SAMPLE_RATE_HZ]
        files.append(tmp_path / f"{name}.flac")
        files[-1].write_bytes(sound_file(samples, "FLAC"))
    return files


@pytest.mark.skipif(not NANO_IS_HERE, reason="nano is not built")
def test_every_answer_has_the_text_of_the_command(
    server: RunningServer, talks: Sequence[Path], tmp_path: Path
) -> None:
    check(server, talks, of_command("nano", talks, tmp_path / "texts"))


@pytest.fixture(scope="module")
def serving_base(real_weights: dict[str, Path]) -> Iterator[RunningServer]:
    with running_server({"base": str(real_weights["base"])}) as running:
        yield running


@pytest.mark.slow
@pytest.mark.weights
@pytest.mark.speech
def test_of_people_too(
    serving_base: RunningServer,
    real_weights: dict[str, Path],
    speech_folder: Path,
    tmp_path: Path,
) -> None:
    """Among others, recordings whose text differs where timestamps are off."""
    samples, _ = soundfile.read(speech_folder / "longform" / "lj001_3min.flac", dtype="float32")
    long = tmp_path / "reading.flac"
    long.write_bytes(sound_file(np.ascontiguousarray(samples[: LONG_S * SAMPLE_RATE_HZ]), "FLAC"))
    short = [
        sorted((speech_folder / folder).glob("*.flac"))[:4]
        for folder in ("en_commonvoice100", "en_ljspeech30")
    ]
    files = [*chain.from_iterable(short), long]
    texts = of_command(str(real_weights["base"]), files, tmp_path / "texts")
    check(serving_base, files, texts)
