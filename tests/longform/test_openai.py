"""The product's sequential long form beside openai/whisper's, on the embedded checkpoint.

Many clips go through one run, so what is compared is what batches of several clips give.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from quest22.checkpoint.load import load
from quest22.records import SAMPLE_RATE_HZ, Clip, Origin, Samples, Transcript
from quest22.runtime.build import Pipeline
from quest22.settings import (
    DecodingSettings,
    EngineSettings,
    HallucinationSettings,
    LongFormSettings,
    PipelineSettings,
)
from tests.support.openai_whisper import OpenaiWhisper
from tests.support.recordings import NANO_IS_HERE, recordings

pytestmark = [
    pytest.mark.reference,
    pytest.mark.slow,
    pytest.mark.skipif(not NANO_IS_HERE, reason="no embedded checkpoint or no sample recordings"),
]

ENGINE = EngineSettings("nano", compute_type="float32", batch_size=16, threads=1)


def joined(sounds: list[Samples]) -> Samples:
    """Sounds with pauses of differing lengths between them."""
    pauses = [np.zeros(round((0.3 + 0.37 * (at % 4)) * 16_000), np.float32) for at in range(9)]
    return np.concatenate([part for pair in zip(sounds, pauses, strict=False) for part in pair])


@pytest.fixture(scope="module")
def sounds() -> dict[str, Samples]:
    """Short clips, and some of over a minute."""
    english, russian = recordings("en", 13), recordings("ru", 13)
    singles = {
        f"{name} {at}": each
        for name, said in (("en", english), ("ru", russian))
        for at, each in enumerate(said[:2])
    }
    return singles | {
        "en long": joined(english[:7]),
        "ru long": joined(russian[:7]),
        "mixed": joined([*english[7:10], *russian[7:10]]),
        "late": joined([np.zeros(80_000, np.float32), *english[10:13]]),
    }


@pytest.fixture(scope="module")
def reference() -> OpenaiWhisper:
    return OpenaiWhisper(load("nano").folder)


def transcribe(sounds: dict[str, Samples], **options: Any) -> list[Transcript]:
    silence = options.pop("hallucination_silence_threshold", None)
    clips = options.pop("clip_timestamps", ())
    settings = PipelineSettings(
        ENGINE,
        DecodingSettings(timestamps=True, temperature=(0.0,), **options),
        LongFormSettings(long_form="sequential", clip_timestamps=tuple(clips)),
        hallucination=HallucinationSettings(
            hallucination_silence_threshold=silence, max_repeats=None, max_speaking_rate=None
        ),
    )
    run = Pipeline(settings).run(
        [Clip(name, name, sound, Origin("t")) for name, sound in sounds.items()]
    )
    return [result for result in run if isinstance(result, Transcript)]


def compare(sounds: dict[str, Samples], reference: OpenaiWhisper, options: dict[str, Any]) -> None:
    found = transcribe(sounds, **options)
    assert [each.key for each in found] == list(sounds)
    for transcript in found:
        expected = reference.transcribe(sounds[transcript.key], temperature=0.0, **options)
        assert transcript.text == expected["text"].strip()
        assert transcript.language == expected["language"]
        spoken = [each for each in expected["segments"] if each["text"].strip()]
        assert [each.text for each in transcript.segments] == [each["text"] for each in spoken]
        for segment, heard in zip(transcript.segments, spoken, strict=True):
            ends = [min(heard[name], transcript.duration_s) for name in ("start", "end")]
            assert [segment.start_s, segment.end_s] == pytest.approx(ends, abs=0.021)
            assert list(segment.tokens) == heard["tokens"]
            assert segment.avg_logprob == pytest.approx(heard["avg_logprob"], abs=1e-3)
            assert segment.no_speech_prob == pytest.approx(heard["no_speech_prob"], abs=1e-3)
            assert segment.compression_ratio == pytest.approx(heard["compression_ratio"])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"beam_size": 5, "condition_on_previous_text": False},
        {"initial_prompt": "The cook sang.", "carry_initial_prompt": True},
        {"word_timestamps": True, "hallucination_silence_threshold": 0.5},
    ],
)
def test_text_and_segments_equal_the_reference(
    sounds: dict[str, Samples], reference: OpenaiWhisper, options: dict[str, Any]
) -> None:
    if "beam_size" in options:  # the reference takes its time: a short clip, and one of all windows
        sounds = {name: sounds[name] for name in ("en 0", "ru 0", "mixed")}
    compare(sounds, reference, options)


@pytest.mark.parametrize("spans", [[1.0, 9.0, 14.0, 21.0], [5.0]])
def test_spans_that_are_asked_for_equal_the_reference(
    sounds: dict[str, Samples], reference: OpenaiWhisper, spans: list[float]
) -> None:
    long = {name: sounds[name] for name in ("en long", "ru long")}
    compare(long, reference, {"clip_timestamps": spans})


@pytest.mark.speech
def test_so_do_those_of_people(speech_folder: Any, reference: OpenaiWhisper) -> None:
    """What nano writes there is not what was said: but it is what the reference writes."""
    recordings = {}
    for name in ("lj001_3min.flac", "ru_golos_joined.flac"):
        samples, rate = soundfile.read(speech_folder / "longform" / name, dtype="float32")
        resampled = soxr.resample(samples, rate, SAMPLE_RATE_HZ).astype(np.float32)
        recordings[name] = resampled[: 70 * SAMPLE_RATE_HZ]
    compare(recordings, reference, {})
