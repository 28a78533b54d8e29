"""openai/whisper on the embedded checkpoint: the same tokens and probabilities from one batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from quest22.audio.log_mel import LogMel
from quest22.checkpoint.load import load
from quest22.records import DecodingOptions, SearchOptions, SuppressionOptions, Window
from tests.engine.openvino.test_nano import nano, recordings
from tests.engine.openvino.test_nano import pytestmark as needs_nano
from tests.support.openai_whisper import OpenaiWhisper

pytestmark = [pytest.mark.reference, *needs_nano]

LONGEST = 224
"""Tokens that openai/whisper chooses at most."""

PREVIOUS = (440, 3382, 1361, 264, 1500)

# language, what is asked of us, the same for openai/whisper
CASES: list[tuple[str, DecodingOptions, dict[str, Any]]] = [
    ("en", DecodingOptions("en", timestamps=True), {}),
    ("ru", DecodingOptions("ru", timestamps=True), {}),
    ("ru", DecodingOptions("ru", "translate", timestamps=True), {"task": "translate"}),
    ("en", DecodingOptions("en", timestamps=True, previous=PREVIOUS), {"prompt": list(PREVIOUS)}),
    (
        "en",
        DecodingOptions("en", prefix=(440, 1361), suppression=SuppressionOptions(blank=False)),
        {"prefix": [440, 1361], "without_timestamps": True, "suppress_blank": False},
    ),
    (
        "ru",
        DecodingOptions("ru", timestamps=True, suppression=SuppressionOptions((400, 500))),
        {"suppress_tokens": [400, 500]},
    ),
    ("en", DecodingOptions("en", timestamps=True, search=SearchOptions(5)), {"beam_size": 5}),
    ("ru", DecodingOptions("ru", timestamps=True, search=SearchOptions(5)), {"beam_size": 5}),
    (
        "ru",
        DecodingOptions("ru", timestamps=True, search=SearchOptions(3, patience=2.0)),
        {"beam_size": 3, "patience": 2.0},
    ),
    (
        "en",
        DecodingOptions("en", timestamps=True, search=SearchOptions(4, length_penalty=0.3)),
        {"beam_size": 4, "length_penalty": 0.3},
    ),
    (
        "ru",
        DecodingOptions("ru", "translate", timestamps=True, search=SearchOptions(5)),
        {"task": "translate", "beam_size": 5},
    ),
]


def test_every_request_of_a_mixed_batch_equals_the_reference() -> None:
    reference, features = OpenaiWhisper(load("nano").folder), LogMel(80)
    sounds = {language: recordings(language, 4) for language in ("en", "ru")}
    batch = [
        Window(sound[:480_000], 0.0, replace(decoding, max_new_tokens=LONGEST))
        for language, decoding, _ in CASES
        for sound in sounds[language]
    ]
    options = [asked for language, _, asked in CASES for _ in sounds[language]]
    whisper = nano("float32")
    found = [
        hypothesis
        for start in range(0, len(batch), whisper.batch_size)
        for hypothesis in whisper.run(batch[start : start + whisper.batch_size])
    ]
    for window, asked, heard in zip(batch, options, found, strict=True):
        language = window.decoding.language
        expected = reference.decode(features(window.samples), language=language, **asked)
        assert heard.tokens == tuple(expected.tokens), asked
        assert heard.avg_logprob == pytest.approx(expected.avg_logprob, abs=1e-4)
        assert heard.no_speech_prob == pytest.approx(expected.no_speech_prob, abs=1e-4)
