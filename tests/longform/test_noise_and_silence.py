"""Nothing is made up where nobody speaks, and nothing that was said is taken away."""

from __future__ import annotations

import numpy as np
import pytest

from quest22.longform.hallucination import NO_SPEECH
from quest22.records import SAMPLE_RATE_HZ, Clip, Origin, Samples, Transcript
from quest22.runtime.build import Pipeline
from quest22.settings import (
    DecodingSettings,
    EngineSettings,
    HallucinationSettings,
    LongFormName,
    LongFormSettings,
    PipelineSettings,
)
from tests.support.recordings import NANO_IS_HERE, recordings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not NANO_IS_HERE, reason="no embedded checkpoint or no sample recordings"),
]

ENGINE = EngineSettings("nano", batch_size=16, threads=1)
LENGTH = 12 * SAMPLE_RATE_HZ
TIME_S = np.arange(LENGTH) / SAMPLE_RATE_HZ


def music() -> Samples:
    """Chords that change twice a second, each struck and fading."""
    beat = (TIME_S * 2).astype(int)
    tones = sum(
        np.sin(2 * np.pi * 220 * 2 ** ((beat * step % 12) / 12) * TIME_S) for step in (3, 5, 7)
    )
    fade = np.exp(-3 * (TIME_S * 2 - beat))
    return (0.1 * tones * fade).astype(np.float32)


def noise(level: float) -> Samples:
    return np.random.default_rng(1).normal(0, level, LENGTH).astype(np.float32)


SPEECHLESS = {
    "silence": np.zeros(LENGTH, np.float32),
    "white noise": noise(0.1),
    "faint noise": noise(0.001),
    "brown noise": (0.02 * np.cumsum(noise(0.1))).astype(np.float32) % 1.0 - 0.5,
    "hum": (0.2 * np.sin(2 * np.pi * 50 * TIME_S)).astype(np.float32),
    "music": music(),
}


def transcribe(
    sounds: dict[str, Samples], long_form: LongFormName, thresholds: HallucinationSettings
) -> dict[str, Transcript]:
    settings = PipelineSettings(
        ENGINE,
        DecodingSettings(timestamps=True, temperature=(0.0,)),
        LongFormSettings(long_form=long_form),
        hallucination=thresholds,
    )
    clips = [Clip(name, name, sound, Origin("t")) for name, sound in sounds.items()]
    return {
        each.key: each for each in Pipeline(settings).run(clips) if isinstance(each, Transcript)
    }


@pytest.mark.parametrize("long_form", ["chunked", "sequential"])
def test_speech_is_kept_and_nothing_is_added_to_it(long_form: LongFormName) -> None:
    spoken = [*recordings("en", 4), *recordings("ru", 4)]
    between = list(SPEECHLESS.values())
    sounds = {str(at): each for at, each in enumerate(spoken)} | SPEECHLESS
    sounds["both"] = np.concatenate([spoken[0], between[0], spoken[1], between[5], spoken[4]])
    unguarded = HallucinationSettings(None, None, None, None, None, None)
    doubting = HallucinationSettings(
        logprob_threshold=0.0
    )  # no text is likely enough to outweigh silence
    free, guarded, doubted = (
        transcribe(sounds, long_form, thresholds)
        for thresholds in (unguarded, HallucinationSettings(), doubting)
    )
    for name in SPEECHLESS:
        assert guarded[name].text == "", name
        assert doubted[name].text == "", name
        assert {each.reason for each in doubted[name].dropped} == {NO_SPEECH}, name
    for at in range(len(spoken)):
        assert guarded[str(at)].text == doubted[str(at)].text == free[str(at)].text != ""
        assert guarded[str(at)].dropped == doubted[str(at)].dropped == ()
    assert guarded["both"].text == free["both"].text != ""
