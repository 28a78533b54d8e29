"""What a long form tells before its end: a part of the transcript that is never taken back."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from quest22.decoding.timestamps import drop_unfinished
from quest22.longform.chunked import ChunkedStrategy
from quest22.longform.sequential import SequentialStrategy
from quest22.longform.vad_filtered import VadFilteredStrategy, VadFilterOptions
from quest22.protocols import LongForm
from quest22.records import Alignment, Hypothesis, Partial, Samples, Transcript, Window
from quest22.settings import DecodingSettings, HallucinationSettings, LongFormSettings
from tests.longform.test_sequential import Silence
from tests.longform.test_vad_filtered import Told
from tests.support.fake_whisper import (
    CLIP,
    NO_HALLUCINATION_FILTER,
    NUMBERS,
    FakeWhisper,
    make_hypothesis,
    sound,
    timestamp_token,
)

Model = Callable[[Window], Hypothesis]
SHORT = LongFormSettings(chunk_length_s=12.0, stride_s=(2.0, 2.0))


def partials(long_form: LongForm, samples: Samples, model: Model, seed: int) -> list[Partial]:
    """All that it tells, between blocks of random sizes and windows that come back in any order."""
    chance = random.Random(seed)
    told, waiting = [long_form.partial()], []
    while len(samples) or waiting or not long_form.finished:
        if waiting and chance.random() < 0.6:
            window = waiting.pop(chance.randrange(len(waiting)))
            waiting += long_form.add_result(window, model(window))
        elif len(samples) and long_form.wants_audio:
            size = chance.randrange(1, 600_000)
            waiting += long_form.feed(samples[:size])
            samples = samples[size:]
            if not len(samples):
                waiting += long_form.flush()
        told.append(long_form.partial())
    return told


def check(told: list[Partial], made: Transcript) -> None:
    count = 0
    for partial in told:
        committed = partial.committed
        assert committed == made.segments[: len(committed)]
        assert len(committed) >= count
        count = len(committed)
    assert told[-1].text == made.text


class Aligned:
    """A model that says where its words are, if it is asked."""

    def __init__(self, whisper: FakeWhisper) -> None:
        self.whisper = whisper

    def __call__(self, window: Window) -> Hypothesis:
        heard = self.whisper(window)
        if not window.decoding.words:
            return heard
        tokens, _ = drop_unfinished(heard.tokens, NUMBERS.timestamp_begin)
        count = sum(token < NUMBERS.eot for token in tokens)
        chance = random.Random(f"{self.whisper.seed} {window.index} {window.skip_frames} times")
        frames = int(window.duration_s * 100 - window.skip_frames) // 2
        bounds = sorted(chance.randrange(frames + 1) for _ in range(count + 1))
        alignment = Alignment(tuple(frame / 50 for frame in bounds), (0.5,) * count)
        return replace(heard, alignment=alignment)


def whisper(seed: int, duration_s: float, mistakes: float) -> Aligned:
    words = [(at / 2, (at * 7919 + seed) % 900) for at in range(int(duration_s * 2))]
    return Aligned(FakeWhisper(words, seed, mistakes))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 9**9),
    duration_s=st.floats(0.1, 90),
    mistakes=st.sampled_from([0.0, 0.1, 0.4]),
    timestamps=st.booleans(),
    words=st.booleans(),
)
def test_chunked(
    seed: int, duration_s: float, mistakes: float, timestamps: bool, words: bool
) -> None:
    decoding = DecodingSettings(timestamps=timestamps, word_timestamps=words)
    long_form = ChunkedStrategy(SHORT, decoding, NUMBERS, NO_HALLUCINATION_FILTER).open(CLIP)
    model = whisper(seed, duration_s, mistakes)
    told = partials(long_form, sound(duration_s), model, seed)
    check(told, long_form.close())


def test_chunked_commits_what_later_windows_cannot_change() -> None:
    decoding = DecodingSettings(timestamps=True)
    long_form = ChunkedStrategy(
        LongFormSettings(), decoding, NUMBERS, NO_HALLUCINATION_FILTER
    ).open(CLIP)
    first, second = long_form.feed(sound(51))
    (third,) = long_form.flush()
    long_form.add_result(
        second,
        make_hypothesis(
            timestamp_token(0),
            4,
            5,
            timestamp_token(10),
            timestamp_token(10),
            6,
            timestamp_token(20),
        ),
    )
    assert long_form.partial() == Partial()
    utterances = (
        timestamp_token(0),
        1,
        timestamp_token(8),
        timestamp_token(8),
        2,
        timestamp_token(15),
        timestamp_token(15),
        3,
        timestamp_token(18),
    )
    long_form.add_result(
        first, make_hypothesis(*utterances, timestamp_token(18), 4, 5, timestamp_token(29))
    )
    partial = long_form.partial()
    assert [each.text for each in partial.committed][:2] == [" 1", " 2"]
    assert partial.text == "1 2 3 4 5 6"
    long_form.add_result(third, make_hypothesis(timestamp_token(0), 6, timestamp_token(8)))
    assert long_form.close().segments[: len(partial.committed)] == partial.committed


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 9**9), duration_s=st.floats(0.1, 900), words=st.booleans())
def test_sequential(seed: int, duration_s: float, words: bool) -> None:
    decoding = DecodingSettings(timestamps=True, word_timestamps=words)
    strategy = SequentialStrategy(
        LongFormSettings(long_form="sequential"),
        decoding,
        NUMBERS,
        HallucinationSettings(),
        Silence,
    )
    long_form = strategy.open(CLIP)
    told = partials(long_form, sound(duration_s), whisper(seed, duration_s, 0.1), seed)
    check(told, long_form.close())


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 9**9),
    lengths_s=st.lists(st.floats(0.05, 30), min_size=2, max_size=8),
    words=st.booleans(),
    whole=st.booleans(),
)
def test_vad_filtered(seed: int, lengths_s: list[float], words: bool, whole: bool) -> None:
    bounds = np.cumsum(lengths_s).tolist()
    spans = list(zip(bounds[::2], bounds[1::2], strict=False))
    decoding = DecodingSettings(timestamps=True, word_timestamps=words)
    inner = ChunkedStrategy(SHORT, decoding, NUMBERS, NO_HALLUCINATION_FILTER, packed=whole)
    options = VadFilterOptions(NUMBERS, whole_spans=whole)
    long_form = VadFilteredStrategy(inner, lambda: Told(*spans), options).open(CLIP)
    model = whisper(seed, sum(lengths_s), 0.1)
    told = partials(long_form, sound(bounds[-1] + 1), model, seed)
    check(told, long_form.close())
