"""Windows out of pieces: what they hold is what the clip holds there, however it comes."""

from __future__ import annotations

import weakref
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.longform.pauses.cutting import CuttingRules, Probabilities
from quest22.longform.pauses.speech_windows import SpeechWindow, SpeechWindows, WindowingRules
from quest22.records import SAMPLE_RATE_HZ, VAD_FRAME_SAMPLES, Samples
from tests.longform.pauses.scripted import Told, speech
from tests.support.fake_whisper import sound

SMALL = WindowingRules(CuttingRules(0.2, silence=20, pad=4, longest=40, shortest=8), whole_clip=0)
DEFAULT = WindowingRules(CuttingRules(), whole_clip=30 * SAMPLE_RATE_HZ)


def windows(
    rules: WindowingRules, told: Probabilities, samples: Samples, sizes: list[int]
) -> list[SpeechWindow]:
    """The windows, if samples come in blocks of these sizes, and the rest at once."""
    stream, made = SpeechWindows(Told(told), rules), []
    for size in sizes:
        made += stream.feed(samples[:size])
        samples = samples[size:]
    made += stream.feed(samples)
    return made + stream.flush()


@st.composite
def clips(draw: st.DrawFn) -> tuple[Probabilities, Samples]:
    levels = st.sampled_from([0.0, 0.1, 0.5, 1.0])
    runs = draw(st.lists(st.tuples(levels, st.integers(1, 60)), min_size=1, max_size=10))
    told = np.repeat([level for level, _ in runs], [count for _, count in runs])
    missing = draw(st.integers(0, VAD_FRAME_SAMPLES - 1))
    count = len(told) * VAD_FRAME_SAMPLES - missing
    return told.astype(np.float32), np.arange(count, dtype=np.float32)


SIZES = st.lists(st.sampled_from([1, 511, 512, 3_000, 20_000]), max_size=6)


@given(clips(), SIZES)
def test_windows_do_not_depend_on_the_blocks(
    clip: tuple[Probabilities, Samples], sizes: list[int]
) -> None:
    found, expected = windows(SMALL, *clip, sizes), windows(SMALL, *clip, [])
    assert [each.timeline.spans for each in found] == [each.timeline.spans for each in expected]
    for window, other in zip(found, expected, strict=True):
        assert np.array_equal(window.samples, other.samples)
        assert np.array_equal(window.probabilities, other.probabilities)


@given(clips(), SIZES)
def test_windows_hold_the_samples_and_probabilities_of_their_spans(
    clip: tuple[Probabilities, Samples], sizes: list[int]
) -> None:
    told, samples = clip
    made = windows(SMALL, told, samples, sizes)
    spans = [span for window in made for span in window.timeline.spans]
    assert all(0 <= start < stop <= len(samples) for start, stop in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    for window in made:
        own = window.timeline.spans
        frames = [
            told[start // VAD_FRAME_SAMPLES : -(-stop // VAD_FRAME_SAMPLES)] for start, stop in own
        ]
        assert np.array_equal(window.samples, np.concatenate([samples[slice(*s)] for s in own]))
        assert np.array_equal(window.probabilities, np.concatenate(frames))
        assert len(window.probabilities) <= SMALL.cutting.longest
        assert not window.whole


def spans_s(made: list[SpeechWindow]) -> list[list[tuple[float, float]]]:
    return [
        [(start / SAMPLE_RATE_HZ, stop / SAMPLE_RATE_HZ) for start, stop in each.timeline.spans]
        for each in made
    ]


@pytest.mark.parametrize(
    ("duration_s", "spoken", "expected"),
    [
        (30, [(5, 6)], [[(0, 30)]]),
        (0.01, [(0, 1)], [[(0, 0.01)]]),
        (12.34, [(0, 1), (9, 10)], [[(0, 12.34)]]),
        (30, [], []),
        (40, [], []),
        (40, [(5, 6)], [[(4.5, 6.5)]]),
        (40, [(5, 10), (20, 25)], [[(4.5, 10.5), (19.5, 25.5)]]),
        (90, [(5, 25), (40, 60)], [[(4.5, 25.5)], [(39.5, 60.5)]]),
    ],
)
def test_a_clip_of_one_window_is_whole_or_nothing(
    duration_s: float, spoken: list[tuple[float, float]], expected: list[list[tuple[float, float]]]
) -> None:
    told = speech(*spoken, until_s=duration_s)
    made = windows(DEFAULT, told, sound(duration_s), [7_000, 100_000])
    whole = duration_s <= 30
    assert [each.whole for each in made] == [whole] * len(expected)
    for found, wanted in zip(spans_s(made), expected, strict=True):
        assert np.ravel(found) == pytest.approx(np.ravel(wanted), abs=0 if whole else 0.05)


def test_no_audio_gives_no_window() -> None:
    stream = SpeechWindows(Told(speech(until_s=1)), DEFAULT)
    assert stream.flush() == []
    assert stream.samples_fed == 0


@pytest.mark.parametrize(
    "spoken",
    [[(0, 5)], [(0, 600)], [(at, at + 0.5) for at in range(0, 600, 10)]],
    ids=["a word, then silence", "speech without an end", "a word now and then"],
)
def test_old_audio_is_let_go(spoken: list[tuple[float, float]]) -> None:
    stream = SpeechWindows(Told(speech(*spoken, until_s=600)), DEFAULT)
    blocks, most = [], 0
    for _ in range(600):
        block = np.zeros(SAMPLE_RATE_HZ, np.float32)
        blocks.append(weakref.ref(block))
        stream.feed(block)
        del block
        most = max(most, sum(each() is not None for each in blocks))
    assert most <= 4 * 29 + 2
