"""A few recordings of people through the product and its references: the same tokens and times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.accuracy.parity.causes import EQUAL, NEAR_TIE
from benchmarks.accuracy.parity.long_recordings import chunked, chunked_times, words
from benchmarks.accuracy.parity.models import Models
from benchmarks.accuracy.parity.recordings import recordings
from benchmarks.accuracy.parity.speech import speech
from benchmarks.accuracy.parity.windows import beams, languages, openai, text, timestamps

pytestmark = [pytest.mark.weights, pytest.mark.speech, pytest.mark.reference, pytest.mark.slow]

LONG_S = 40
"""Two windows, or three that overlap."""


@pytest.fixture(scope="module")
def models(
    real_weights: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Models]:
    folder = tmp_path_factory.mktemp("standard")
    loaded: dict[str, Models] = {}

    def of(name: str) -> Models:
        pytest.importorskip("torch", reason="PyTorch is not installed")
        if name not in loaded:
            loaded[name] = Models(real_weights[name], folder / name)
        return loaded[name]

    return of


@pytest.mark.parametrize(
    ("compare", "name", "of_set", "take"),
    [
        (text, "tiny.en", "en_commonvoice100", 3),
        (timestamps, "tiny.en", "en_commonvoice100", 3),
        (openai, "tiny.en", "telephone_noisy", 2),
        (beams, "tiny.en", "en_ljspeech30", 2),
        (text, "base", "fleurs5x10", 2),
        (languages, "base", "ru_golos15", 3),
        (beams, "base", "ru_golos15", 1),
        (chunked, "base", "fleurs5x10", 1),
    ],
)
def test_short_clips(compare, name, of_set, take, models, speech_folder):
    for recording in recordings(speech_folder / of_set, take):
        for outcome in compare(models(name), recording):
            assert outcome.cause in {EQUAL, NEAR_TIE}, outcome


@pytest.mark.parametrize("compare", [chunked, chunked_times, words])
def test_a_reading(compare, models, speech_folder):
    (reading,) = recordings(speech_folder / "longform", 1)
    beginning = replace(reading, samples=reading.samples[: LONG_S * 16_000])
    for outcome in compare(models("tiny.en"), beginning):
        assert outcome.cause == EQUAL, outcome


def test_spans_of_speech(speech_folder):
    pytest.importorskip("faster_whisper", reason="faster-whisper is not installed")
    for of_set in ("longform", "telephone_noisy", "ru_golos15"):
        for recording in recordings(speech_folder / of_set, 4):
            for outcome in speech(recording):
                assert outcome.cause == EQUAL, outcome
