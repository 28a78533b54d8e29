"""What the qualities decode at first."""

from __future__ import annotations

import pytest

from quest22.longform.pauses.quality import Quality
from quest22.records import DecodingOptions
from quest22.settings import DecodingSettings
from quest22.settings.longform import QualityName


@pytest.mark.parametrize(
    ("name", "decoding", "whole", "timestamps", "beam_size", "greedy_logprob"),
    [
        ("fast", {}, False, True, 1, -0.25),
        ("fast", {}, True, False, 1, -0.15),
        ("balanced", {}, False, True, 5, -0.25),
        ("balanced", {}, True, False, 5, -0.15),
        ("balanced", {"timestamps": True}, True, True, 5, -0.25),
        ("best", {}, False, True, 5, -0.25),
        ("balanced", {"beam_size": 3}, False, True, 3, None),
        ("balanced", {"beam_size": 1}, False, True, 1, None),
        ("fast", {"beam_size": 5}, True, False, 5, None),
    ],
)
def test_first_pass(
    name: QualityName,
    decoding: dict[str, object],
    *,
    whole: bool,
    timestamps: bool,
    beam_size: int,
    greedy_logprob: float | None,
) -> None:
    quality = Quality.of(name, DecodingSettings(**decoding))
    made = quality.first_pass(DecodingOptions(language="ru"), whole=whole)
    assert (made.timestamps, made.search.beam_size) == (timestamps, beam_size)
    assert made.search.greedy_logprob == greedy_logprob
    assert made.audio_context == ("full" if greedy_logprob is None else "auto")
    assert (made.language, made.ends_complete) == ("ru", True)


@pytest.mark.parametrize("context", ["auto", "full", 10.0])
def test_a_given_audio_context(context: str | float) -> None:
    quality = Quality.of("balanced", DecodingSettings(audio_context=context))
    assert quality.first_pass(DecodingOptions(), whole=True).audio_context == context


@pytest.mark.parametrize(
    ("decoding", "beam_size", "temperatures", "best_of"),
    [
        ({}, 5, (0.4, 0.8), 5),
        ({"beam_size": 8}, 8, (0.4, 0.8), 5),
        ({"beam_size": 1}, 5, (0.4, 0.8), 5),
        ({"temperature": (0.0,)}, 5, (), 5),
        ({"temperature": (0.2, 0.6, 1.0)}, 5, (0.6, 1.0), 5),
        ({"best_of": 2}, 5, (0.4, 0.8), 2),
    ],
)
def test_retries(
    decoding: dict[str, object], beam_size: int, temperatures: tuple[float, ...], best_of: int
) -> None:
    quality = Quality.of("fast", DecodingSettings(**decoding))
    assert quality.retry_beam_size == beam_size
    assert quality.retry_temperatures == temperatures
    assert quality.best_of == best_of
    assert quality.first_pass(DecodingOptions(), whole=True).search.best_of == best_of
