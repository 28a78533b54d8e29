"""The rules that settings make."""

from __future__ import annotations

import pytest

from quest22.errors import UsageError
from quest22.longform.pauses.build import build_strategy, windowing_rules
from quest22.longform.pauses.clip import PausesStrategy
from quest22.longform.pauses.cutting import CuttingRules
from quest22.records import SAMPLE_RATE_HZ
from quest22.settings import (
    DecodingSettings,
    HallucinationSettings,
    LongFormSettings,
    VadSettings,
)
from quest22.settings.clip_options import ClipSettings
from tests.longform.pauses.scripted import Told, speech
from tests.support.fake_whisper import NUMBERS

DEFAULT = CuttingRules(quiet=0.2, silence=63, pad=16, longest=906, shortest=181)


def changed(**fields: float) -> CuttingRules:
    names = ("quiet", "silence", "pad", "longest", "shortest")
    return CuttingRules(**{name: fields.get(name, getattr(DEFAULT, name)) for name in names})


@pytest.mark.parametrize(
    ("vad", "longform", "cutting", "whole_s"),
    [
        ({}, {}, DEFAULT, 30),
        ({"vad": "auto"}, {}, DEFAULT, 30),
        ({"vad": "on"}, {}, DEFAULT, 0),
        ({"vad": "off"}, {}, changed(quiet=0.0), 30),
        ({"vad": "off", "vad_neg_threshold": 0.3}, {}, changed(quiet=0.0), 30),
        ({"vad_neg_threshold": 0.3}, {}, changed(quiet=0.3), 30),
        ({"vad_min_silence_duration_ms": 1000}, {}, changed(silence=32), 30),
        ({"vad_min_silence_duration_ms": 0}, {}, changed(silence=1, pad=0), 30),
        ({"vad_min_silence_duration_ms": 320}, {}, changed(silence=10, pad=5), 30),
        ({"vad_speech_pad_ms": 100}, {}, changed(pad=4), 30),
        ({"vad_speech_pad_ms": 0}, {}, changed(pad=0), 30),
        ({"vad_speech_pad_ms": 5000}, {}, changed(pad=31), 30),
        ({"vad_max_speech_duration_s": 10.0}, {}, changed(longest=312, shortest=62), 30),
        ({"vad_max_speech_duration_s": 99.0}, {}, DEFAULT, 30),
        ({}, {"chunk_length_s": 16.0}, changed(longest=468, shortest=93), 16),
        ({"vad": "on"}, {"chunk_length_s": 16.0}, changed(longest=468, shortest=93), 0),
    ],
)
def test_how_clips_are_cut(
    vad: dict[str, object], longform: dict[str, object], cutting: CuttingRules, whole_s: int
) -> None:
    settings = ClipSettings(vad=VadSettings(**vad), longform=LongFormSettings(**longform))
    rules = windowing_rules(settings)
    assert rules.cutting == cutting
    assert rules.whole_clip == whole_s * SAMPLE_RATE_HZ


@pytest.mark.parametrize(
    ("vad", "longform"),
    [
        ({"vad_max_speech_duration_s": 0.9}, {}),
        ({}, {"chunk_length_s": 1.9, "stride_s": (0.0, 0.0)}),
    ],
)
def test_windows_too_short_to_cut_are_refused(
    vad: dict[str, object], longform: dict[str, object]
) -> None:
    settings = ClipSettings(vad=VadSettings(**vad), longform=LongFormSettings(**longform))
    with pytest.raises(UsageError, match="too short to be cut at pauses: expected at least"):
        windowing_rules(settings)


def built(**decoding: object) -> PausesStrategy:
    settings = ClipSettings(decoding=DecodingSettings(**decoding))
    return build_strategy(settings, NUMBERS, lambda: Told(speech(until_s=1)))


@pytest.mark.parametrize(
    ("decoding", "one_language", "doubt_language"),
    [
        ({}, True, True),
        ({"language": "ru"}, False, False),
        ({"multilingual": True}, False, True),
        ({"multilingual": False}, True, True),
        ({"languages": ("en", "ru")}, True, False),
        ({"language_threshold": 0.5, "fallback_language": "en"}, True, False),
    ],
)
def test_languages(
    decoding: dict[str, object], *, one_language: bool, doubt_language: bool
) -> None:
    rules = built(**decoding).rules
    assert (rules.one_language, rules.doubt_language) == (one_language, doubt_language)


@pytest.mark.parametrize(
    ("decoding", "first", "retries", "beam_size"),
    [
        ({}, 0.0, (0.4, 0.8), 5),
        ({"temperature": (0.0,)}, 0.0, (), 5),
        ({"temperature": (0.2, 0.5)}, 0.2, (0.5,), 5),
        ({"beam_size": 7}, 0.0, (0.4, 0.8), 7),
    ],
)
def test_tries(
    decoding: dict[str, object], first: float, retries: tuple[float, ...], beam_size: int
) -> None:
    rules = built(**decoding).rules
    assert rules.policy.decoding.temperature == first
    assert rules.retries.temperatures == retries
    assert rules.retries.beam_size == beam_size


def test_thresholds_are_the_users() -> None:
    settings = ClipSettings(
        vad=VadSettings(vad_threshold=0.7),
        hallucination=HallucinationSettings(logprob_threshold=-0.5),
    )
    rules = build_strategy(settings, NUMBERS, lambda: Told(speech(until_s=1))).rules
    assert rules.speech_threshold == 0.7
    assert rules.retries.trust.fallback.thresholds.logprob_threshold == -0.5
