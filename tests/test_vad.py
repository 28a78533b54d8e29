"""Silence, noise and music give no text, and speech is kept: nano and Silero together."""

from __future__ import annotations

import json
from io import BytesIO
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from pyarrow import parquet

from quest22 import Transcriber
from quest22.audio.vad.endpoints import EndpointRules
from quest22.audio.vad.silero.model import SileroModel
from quest22.audio.vad.speech_stream import SpeechStream
from quest22.evaluation.score import ErrorRate, word_errors
from quest22.records import Samples
from tests.support.recordings import NANO_IS_HERE, SAMPLES

S = 16_000
SECONDS = 40

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not NANO_IS_HERE, reason="this checkout has no embedded checkpoint"),
]


@pytest.fixture(scope="module", params=["chunked", "sequential"])
def whisper(request: pytest.FixtureRequest) -> Transcriber:
    """Clips longer than a window are cut at pauses, the others are only guarded."""
    asked = {"timestamps": True, "language": "en", "compute_type": "float32"}
    return Transcriber("nano", vad="auto", long_form=request.param, **asked)


def noise(level: float, seconds: float = SECONDS) -> Samples:
    return np.random.default_rng(0).normal(0, level, round(seconds * S)).astype(np.float32)


def brown_noise() -> Samples:
    """Noise whose power falls with the square of the frequency, from 20 Hz on."""
    spectrum = np.fft.rfft(noise(1.0))
    spectrum /= np.maximum(np.fft.rfftfreq(SECONDS * S, 1 / S), 20)
    sound = np.fft.irfft(spectrum)
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


def tune() -> Samples:
    """Plucked notes with overtones, two a second, over a bass."""
    time_s = np.arange(SECONDS * S) / S
    notes = np.array([220, 277.2, 329.6, 440, 392, 349.2, 329.6, 293.7])
    pitch = notes[(2 * time_s).astype(int) % len(notes)]
    phase = 2 * np.pi * np.cumsum(pitch) / S
    pluck = sum(np.sin(overtone * phase) / overtone for overtone in range(1, 6))
    bass = np.sin(phase / 4)
    return (0.2 * pluck * np.exp(-3 * ((2 * time_s) % 1)) + 0.1 * bass).astype(np.float32)


def hum() -> Samples:
    time_s = np.arange(SECONDS * S) / S
    return (0.1 * np.sign(np.sin(2 * np.pi * 50 * time_s))).astype(np.float32)


def clicks() -> Samples:
    sound = noise(0.001)
    sound[:: S // 3] = 0.9
    return sound


SPEECHLESS = {
    "silence": np.zeros(SECONDS * S, np.float32),
    "faint noise": noise(0.001),
    "noise": noise(0.1),
    "brown noise": brown_noise(),
    "music": tune(),
    "hum": hum(),
    "clicks": clicks(),
    "short silence": np.zeros(S, np.float32),
    "short noise": noise(0.1, 5),
}


@pytest.mark.parametrize("name", SPEECHLESS)
def test_nothing_is_made_up(whisper: Transcriber, name: str) -> None:
    sound = SPEECHLESS[name]
    heard = whisper.transcribe(sound)
    assert (heard.text, heard.segments) == ("", ())
    assert {each.reason for each in heard.dropped} == {"no speech"}
    silent_s = sum(each.end_s - each.start_s for each in heard.dropped)
    # A first note may pass for half a second of speech: the model hears nothing in it.
    assert len(sound) / S - silent_s < 0.6


@pytest.fixture(scope="module")
def spoken() -> list[tuple[Samples, str]]:
    """Three short English recordings and their texts."""
    rows = (row for path in SAMPLES for row in parquet.read_table(path).to_pylist())
    short = (row for row in rows if row["language"] == "en" and row["seconds"] <= 20)
    found = []
    for row in islice(short, 3):
        samples, rate = soundfile.read(BytesIO(row["audio"]["bytes"]), dtype="float32")
        found.append((soxr.resample(samples, rate, S).astype(np.float32), row["text"]))
    return found


def test_speech_between_long_silences_is_kept_at_its_place(
    whisper: Transcriber, spoken: list[tuple[Samples, str]]
) -> None:
    blocks, places, at = [], [], 0
    for samples, _ in spoken:
        blocks += [noise(0.001, 17), samples]
        places.append(((at + 17 * S) / S, (at + 17 * S + len(samples)) / S))
        at += 17 * S + len(samples)
    heard = whisper.transcribe(np.concatenate([*blocks, noise(0.001, 60)]))
    alone = [whisper.transcribe(samples).text for samples, _ in spoken]
    texts = [text for _, text in spoken]
    there = word_errors(" ".join(texts), heard.text)
    apart = sum((word_errors(*pair) for pair in zip(texts, alone, strict=True)), ErrorRate())
    assert there.errors <= apart.errors + there.total // 20
    for segment in heard.segments:
        assert any(
            start - 0.5 <= segment.start_s and segment.end_s <= end + 0.5 for start, end in places
        ) or _spans_whole_stretches(segment.start_s, segment.end_s, places)
    silent = sum(each.end_s - each.start_s for each in heard.dropped)
    assert silent > 0.9 * (3 * 17 + 60 - 2 * 3)


def _spans_whole_stretches(start_s: float, end_s: float, places: list[tuple[float, float]]) -> bool:
    """An utterance that the model drew over a seam begins and ends in speech all the same."""
    return any(a - 0.5 <= start_s <= b for a, b in places) and any(
        a <= end_s <= b + 0.5 for a, b in places
    )


@pytest.mark.speech
def test_real_speech_is_kept(speech_folder: Path) -> None:
    """In every recording of people speech is found, and most of what read speech lasts is kept."""
    network = SileroModel()
    shares = []
    for folder in ("en_commonvoice100", "en_ljspeech30", "ru_golos15", "fleurs5x10"):
        for line in (speech_folder / folder / "manifest.jsonl").read_text().splitlines()[::3]:
            path = speech_folder / folder / json.loads(line)["file"]
            samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
            sound = soxr.resample(samples.mean(axis=1), rate, S).astype(np.float32)
            stream = SpeechStream(network.open(), EndpointRules())
            pieces = stream.feed(sound) + stream.flush()
            shares.append(sum(len(piece.samples) for piece in pieces) / len(sound))
    assert len(shares) > 60
    assert min(shares) > 0.25
    assert np.median(shares) > 0.9
