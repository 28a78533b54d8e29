from __future__ import annotations

from dataclasses import asdict
from math import inf

import pytest

from quest22.audio.vad.endpoints import Endpointer, EndpointRules, Span
from quest22.errors import UsageError
from quest22.settings import LongFormSettings, VadSettings
from tests.support.fake_speech import FRAME

S = 16_000
BARE = {"pad": 0, "min_silence": 2 * FRAME}


def spans(probabilities: list[float], rules: EndpointRules) -> list[Span]:
    endpointer = Endpointer(rules)
    found = [span for probability in probabilities for span in endpointer.feed(probability)]
    assert endpointer.position == len(probabilities) * FRAME
    return found + endpointer.flush(endpointer.position)


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        ([], []),
        ([0, 0, 0], []),
        ([0, 1, 1, 0, 0, 0, 0], [(1, 3)]),
        ([1, 1], [(0, 2)]),
        ([1, 0, 1, 0, 0, 0], [(0, 3)]),
        ([0.4, 1, 0.4, 0.4, 0.4], [(1, 5)]),
        ([1, 0, 0, 0, 1, 0, 0, 0], [(0, 1), (4, 5)]),
    ],
)
def test_spans(probabilities: list[float], expected: list[tuple[int, int]]) -> None:
    found = spans(probabilities, EndpointRules(**BARE))
    assert [(span.start // FRAME, span.end // FRAME) for span in found] == expected


def test_speech_that_is_too_short_does_not_count() -> None:
    assert spans([1, 0, 0, 0], EndpointRules(**BARE, min_speech=FRAME)) == []


def test_what_is_confirmed_stays() -> None:
    endpointer = Endpointer(EndpointRules(**BARE))
    endpointer.feed(1.0)
    assert (endpointer.start, endpointer.confirmed_until) == (0, FRAME)
    endpointer.feed(0.0)
    assert endpointer.confirmed_until == FRAME
    endpointer.feed(1.0)
    assert endpointer.confirmed_until == 3 * FRAME


@pytest.mark.parametrize(
    ("voice", "longform", "expected"),
    [
        (
            {},
            {"long_form": "chunked"},
            {"max_speech": 30 * S - 512 - 2 * 6400, "min_silence": 2560},
        ),
        ({}, {"long_form": "sequential"}, {"max_speech": inf, "min_silence": 32_000}),
        ({"vad_threshold": 0.4}, {}, {"threshold": 0.4, "neg_threshold": pytest.approx(0.25)}),
        ({"vad_threshold": 0.1}, {}, {"neg_threshold": 0.01}),
        ({"vad_neg_threshold": 0.2}, {}, {"neg_threshold": 0.2}),
        (
            {"vad_max_speech_duration_s": 60, "vad_speech_pad_ms": 0},
            {"long_form": "chunked", "chunk_length_s": 20.0},
            {"max_speech": 20 * S - 512},
        ),
        ({"vad_min_speech_duration_ms": 250}, {}, {"min_speech": 4000}),
        ({"vad_min_silence_duration_ms": 0}, {}, {"min_silence": 0}),
    ],
)
def test_rules_from_settings(voice, longform, expected):
    rules = EndpointRules.of(VadSettings(**voice), LongFormSettings(**longform))
    assert {name: value for name, value in asdict(rules).items() if name in expected} == expected


@pytest.mark.reference
def test_the_defaults_are_faster_whispers():
    vad = pytest.importorskip("faster_whisper.vad")
    theirs, ours = vad.VadOptions(), VadSettings()
    assert ours.vad_threshold == theirs.threshold
    assert ours.vad_neg_threshold == theirs.neg_threshold
    assert ours.vad_min_speech_duration_ms == theirs.min_speech_duration_ms
    assert ours.vad_speech_pad_ms is None
    sequential = EndpointRules.of(ours, LongFormSettings(long_form="sequential"))
    assert sequential.min_silence == theirs.min_silence_duration_ms * 16
    assert sequential.pad == theirs.speech_pad_ms * 16


def test_padding_that_leaves_nothing():
    with pytest.raises(UsageError, match="is too short for a padding"):
        EndpointRules.of(VadSettings(vad_max_speech_duration_s=0.8), LongFormSettings())
