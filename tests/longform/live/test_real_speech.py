"""A person's reading and noises as live sound, by Whisper tiny.en with its real weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from benchmarks.live_accuracy import Model, Piece, check_events, live, offline
from quest22.bench.live import nonspeech
from quest22.evaluation.normalise import english
from quest22.evaluation.score import word_errors
from quest22.records import SAMPLE_RATE_HZ
from quest22.settings.live import LiveSettings

pytestmark = [pytest.mark.weights, pytest.mark.speech, pytest.mark.slow]

READING_S = 40


@pytest.fixture(scope="module")
def model(real_weights: dict[str, Path]) -> Model:
    return Model(str(real_weights["tiny.en"]), threads=1)


@pytest.fixture(scope="module")
def reading(speech_folder: Path) -> Piece:
    samples, rate = soundfile.read(speech_folder / "longform" / "lj001_3min.flac", dtype="float32")
    own = soxr.resample(samples[: READING_S * rate], rate, SAMPLE_RATE_HZ).astype(np.float32)
    return Piece("reading", "en", own, ())


@pytest.mark.parametrize("policy", ["alignatt", "local-agreement", "both"])
def test_a_reading_is_as_right_as_its_transcript(model: Model, reading: Piece, policy: str) -> None:
    known = offline(model, reading, "en").text
    told, _ = live(model, reading, LiveSettings(policy=policy), "en")
    check_events(told)
    text = " ".join(each.event.text for each in told if each.event.type == "final")
    errors = word_errors(known, text, english)
    assert errors.total > 80
    assert errors.errors <= 0.1 * errors.total


def test_nobody_speaks_in_noise(model: Model) -> None:
    for name in ("silence", "street", "music"):
        told, _ = live(model, Piece(name, None, nonspeech.make(name, 30), ()), LiveSettings(), None)
        assert not told, name
