from __future__ import annotations

import pytest

from quest22.longform.live.build import build_strategy
from quest22.longform.live.rules import LiveRules
from quest22.settings import DecodingSettings, VadSettings
from quest22.settings.clip_options import ClipSettings
from quest22.settings.live import LiveSettings
from tests.longform.pauses.scripted import Told, speech
from tests.support.fake_whisper import NUMBERS


def rules(
    settings: ClipSettings | None = None, *, is_multilingual: bool = True, **live: object
) -> LiveRules:
    strategy = build_strategy(
        settings or ClipSettings(),
        LiveSettings(**live),  # type: ignore[arg-type]
        NUMBERS,
        lambda: Told(speech(until_s=1.0)),
        is_multilingual=is_multilingual,
    )
    return strategy.rules


def test_lengths_in_milliseconds_become_frames() -> None:
    endpoints = rules(endpoint_ms=500, eager_ms=160).endpoints
    assert (endpoints.eager, endpoints.soon, endpoints.silence) == (5, 11, 16)
    assert endpoints.most == 32
    exact = rules(endpoint_ms=500, sure_endpoint_ms=500, unfinished_endpoint_ms=500).endpoints
    assert (exact.soon, exact.silence, exact.most) == (16, 16, 16)
    same = rules(endpoint_ms=100, eager_ms=100).endpoints
    assert same.soon == same.silence == same.eager + 1


def test_a_translation_needs_agreement() -> None:
    translated = ClipSettings(decoding=DecodingSettings(task="translate"))
    assert rules(translated).commit.name == "both"
    assert rules(translated, policy="local-agreement").commit.name == "local-agreement"
    assert rules().commit.name == "alignatt"


@pytest.mark.parametrize(
    ("given", "is_multilingual", "expected"),
    [(None, True, None), ("de", True, "de"), (None, False, "en")],
)
def test_which_language_is_known(
    given: str | None, is_multilingual: bool, expected: str | None
) -> None:
    settings = ClipSettings(decoding=DecodingSettings(language=given))
    assert rules(settings, is_multilingual=is_multilingual).language == expected


def test_without_conditioning_each_segment_stands_alone() -> None:
    settings = ClipSettings(decoding=DecodingSettings(condition_on_previous_text=False))
    assert rules(settings).context.audio_s == 0


def test_what_counts_as_speech_is_as_elsewhere() -> None:
    vad = VadSettings(vad_threshold=0.6, vad_min_speech_duration_ms=160)
    endpoints = rules(ClipSettings(vad=vad)).endpoints
    assert (endpoints.threshold, endpoints.onset) == (0.6, 5)
    assert endpoints.neg_threshold == pytest.approx(0.45)
