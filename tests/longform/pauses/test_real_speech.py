"""A person's reading, by Whisper base with its real weights; and sounds without anybody."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from quest22.evaluation.normalise import english
from quest22.evaluation.score import word_errors
from quest22.evaluation.word_diff import align_words
from quest22.records import SAMPLE_RATE_HZ, Clip, Origin, Samples, Transcript
from quest22.runtime.build import Pipeline
from quest22.settings import DecodingSettings, EngineSettings, PipelineSettings

pytestmark = [pytest.mark.weights, pytest.mark.speech, pytest.mark.slow]

NAME = "lj001_3min.flac"
RUN = 4
"""So many words in a row are no slip of the ear, but a sentence that was skipped or said twice."""


def reading(folder: Path) -> tuple[Samples, str]:
    """Almost four minutes of a book, and its text, whose brackets are read aloud too."""
    lines = (folder / "manifest.jsonl").read_text().splitlines()
    (text,) = (each["text"] for each in map(json.loads, lines) if each["file"] == NAME)
    samples, rate = soundfile.read(folder / NAME, dtype="float32")
    return soxr.resample(samples, rate, SAMPLE_RATE_HZ).astype(np.float32), re.sub(
        r"[()]", "", text
    )


def brown_noise() -> Samples:
    steps = np.random.default_rng(1).standard_normal(60 * SAMPLE_RATE_HZ)
    noise = np.cumsum(steps)
    noise -= np.convolve(noise, np.full(8_000, 1 / 8_000), "same")  # what no speaker can play
    return (0.2 * noise / np.abs(noise).max()).astype(np.float32)


@pytest.fixture(scope="module")
def pipeline(real_weights: dict[str, Path]) -> Iterator[Pipeline]:
    model = EngineSettings(str(real_weights["base"]))
    with Pipeline(PipelineSettings(model, DecodingSettings(timestamps=True))) as pipeline:
        yield pipeline


def transcribe(pipeline: Pipeline, sounds: dict[str, Samples]) -> dict[str, Transcript]:
    clips = [Clip(name, name, samples, Origin("test")) for name, samples in sounds.items()]
    results = list(pipeline.run(clips))
    assert all(isinstance(each, Transcript) for each in results), results
    return {each.key: each for each in results}


def test_a_reading_is_whole_and_nothing_is_said_twice(
    pipeline: Pipeline, speech_folder: Path
) -> None:
    samples, text = reading(speech_folder / "longform")
    transcript = transcribe(pipeline, {NAME: samples})[NAME]
    said, heard = english(text).split(), english(transcript.text).split()
    rate = word_errors(text, transcript.text, english).rate
    assert rate is not None
    assert rate < 0.06
    for span in align_words(said, heard):
        assert span.kind != "delete" or len(span.reference) < RUN, span
        assert span.kind != "insert" or len(span.hypothesis) < RUN, span
    doubled = [at for at in range(len(heard)) if heard[at : at + RUN] == heard[at + RUN :][:RUN]]
    assert doubled == []
    assert transcript.language == "en"


def test_nobody_says_nothing(pipeline: Pipeline) -> None:
    silence = np.zeros(60 * SAMPLE_RATE_HZ, np.float32)
    transcripts = transcribe(pipeline, {"silence": silence, "brown noise": brown_noise()})
    assert {name: each.text for name, each in transcripts.items()} == {
        "silence": "",
        "brown noise": "",
    }
