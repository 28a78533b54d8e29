"""The embedded checkpoint on the demo's recordings: what holds for trained weights."""

from __future__ import annotations

import numpy as np
import pytest

from quest22.audio.log_mel import LogMel
from quest22.checkpoint.load import load
from quest22.engine.build import build_engine
from quest22.engine.engine import WhisperEngine
from quest22.metrics import Metrics
from quest22.records import DecodingOptions, Window
from quest22.settings import EngineSettings
from tests.support.recordings import NANO_IS_HERE, recordings
from tests.support.whisper_reference import WhisperReference

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not NANO_IS_HERE,
        reason="this checkout has no embedded checkpoint or no sample recordings",
    ),
]


def nano(compute_type: str) -> WhisperEngine:
    settings = EngineSettings(compute_type=compute_type, batch_size=16)
    return build_engine(load("nano"), LogMel(80), settings, Metrics())


def requests() -> list[Window]:
    english, russian = recordings("en", 4), recordings("ru", 4)
    asked = [
        *((sound, DecodingOptions("en")) for sound in english),
        *((sound, DecodingOptions("ru", timestamps=True)) for sound in russian),
        *((sound, DecodingOptions("ru", "translate")) for sound in russian[:2]),
        *((sound, DecodingOptions(timestamps=True)) for sound in english[:2]),
        (np.zeros(16_000, np.float32), DecodingOptions()),
    ]
    return [Window(sound[:480_000], 0.0, decoding) for sound, decoding in asked]


@pytest.mark.reference
def test_tokens_equal_the_references() -> None:
    reference = WhisperReference(load("nano").folder)
    batch, features = requests(), LogMel(80)
    for window, found in zip(batch, nano("float32").run(batch), strict=True):
        expected = reference.tokens(features(window.samples), window.decoding)
        assert found.tokens == expected, window.decoding


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_language_is_heard(language: str) -> None:
    batch = [Window(sound, 0.0, DecodingOptions()) for sound in recordings(language, 4)]
    assert [found.language for found in nano("auto").run(batch)] == [language] * len(batch)


def test_silence_has_no_words() -> None:
    (found,) = nano("auto").run([Window(np.zeros(160_000, np.float32), 0.0, DecodingOptions())])
    assert found.tokens == ()
    assert found.no_speech_prob > 0.5


@pytest.mark.parametrize("compute_type", ["auto", "int8"])
def test_faster_precisions_say_the_same(compute_type: str) -> None:
    batch = requests()
    exact, fast = nano("float32").run(batch), nano(compute_type).run(batch)
    same = sum(
        token == other
        for one, two in zip(exact, fast, strict=True)
        for token, other in zip(one.tokens, two.tokens, strict=False)
    )
    assert same >= 0.9 * sum(len(found.tokens) for found in exact)
