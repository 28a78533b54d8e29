from __future__ import annotations

import logging
import random
from itertools import pairwise
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quest22.decoding.timestamps import drop_unfinished
from quest22.longform.stitching import SpanJoiner, shared_middle
from quest22.longform.windowing import Chunk, Chunker, StrideLengths
from quest22.settings import LongFormSettings
from tests.support.fake_whisper import NUMBERS, RATE, FakeWhisper, sound, transcribe

LENGTHS = StrideLengths.of(LongFormSettings())


def transformers_text(
    joining: ModuleType,
    duration_s: float,
    answers: dict[int, list[tuple[int, ...]]],
    *,
    timestamps: bool,
) -> str:
    """What Transformers makes of the same answers to the same windows."""
    outputs = []
    for index, chunk in enumerate(chunks(duration_s)):
        kept = [drop_unfinished(tokens, NUMBERS.timestamp_begin)[0] for tokens in answers[index]]
        tokens = np.array([[token for each in kept for token in each]], np.int64)
        stride = tuple(samples / RATE for samples in (len(chunk.samples), chunk.left, chunk.right))
        outputs.append({"tokens": tokens, "stride": stride})
    text, _ = joining._decode_asr(
        NUMBERS, outputs, return_timestamps=timestamps, return_language=None, time_precision=0.02
    )
    return str(text)


def chunks(duration_s: float) -> list[Chunk]:
    chunker = Chunker(LENGTHS)
    return chunker.feed(sound(duration_s)) + chunker.flush()


@pytest.fixture(autouse=True)
def quiet() -> None:
    """Transformers logs a warning for every text that has no last timestamp."""
    logging.getLogger("transformers").setLevel(logging.ERROR)


WORDS = st.one_of(st.integers(0, 899), st.integers(0, 4))


@st.composite
def fake_whispers(draw: st.DrawFn, duration_s: int) -> FakeWhisper:
    every_s = draw(st.sampled_from([1.0, 3.0]))
    count = int(duration_s / every_s)
    words = draw(st.lists(WORDS, min_size=count, max_size=count))
    return FakeWhisper(
        [(at * every_s, word) for at, word in enumerate(words)],
        seed=draw(st.integers(0, 1000)),
        mistakes=draw(st.sampled_from([0.0, 0.1, 0.4])),
        breaks=draw(st.sampled_from([0.0, 0.1, 0.5])),
    )


@pytest.mark.reference
@settings(max_examples=60)
@given(data=st.data(), duration_s=st.integers(1, 100), timestamps=st.booleans())
def test_the_text_is_that_of_transformers(
    joining: ModuleType, data: st.DataObject, duration_s: int, *, timestamps: bool
) -> None:
    whisper = data.draw(fake_whispers(duration_s))
    transcript = transcribe(sound(duration_s), whisper, timestamps=timestamps)
    theirs = transformers_text(joining, duration_s, whisper.answers, timestamps=timestamps)
    assert transcript.text == theirs.strip()


@pytest.mark.slow
@pytest.mark.reference
@pytest.mark.parametrize("timestamps", [False, True])
@pytest.mark.parametrize("seed", range(2))
def test_the_text_is_that_of_transformers_over_many_windows(
    joining: ModuleType, seed: int, *, timestamps: bool
) -> None:
    chance = random.Random(seed)
    for _ in range(100):
        duration_s = chance.uniform(0.1, 150)
        common = chance.sample(range(900), 5)
        words = [
            (at * 0.5, chance.choice([chance.randrange(900), *common]))
            for at in range(int(duration_s * 2))
        ]
        whisper = FakeWhisper(
            words, chance.randrange(9**9), chance.random() / 3, chance.random() / 3
        )
        transcript = transcribe(sound(duration_s), whisper, timestamps=timestamps)
        theirs = transformers_text(joining, duration_s, whisper.answers, timestamps=timestamps)
        assert transcript.text == theirs.strip()


SPANS = st.lists(st.lists(st.integers(0, 6), max_size=30), min_size=1, max_size=6)


def joined(*spans: list[int]) -> list[int]:
    joiner = SpanJoiner([token for span in spans for token in span])
    bounds = np.cumsum([0, *map(len, spans)]).tolist()
    for pair in pairwise(bounds):
        joiner.add(range(*pair))
    joiner.flush()
    return [joiner.ids[at] for span in joiner.settled for at in span]


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([[1, 2, 3]], [1, 2, 3]),
        ([[1, 2, 3, 4], [3, 4, 5]], [1, 2, 3, 4, 5]),
        ([[1, 2, 3, 4], [5, 6]], [1, 2, 3, 4, 5, 6]),
        ([[1, 2, 3, 9], [2, 3, 4, 5]], [1, 2, 3, 4, 5]),
        ([[1, 2, 3, 4, 5, 6], [9, 4, 5, 6, 7]], [1, 2, 3, 4, 5, 6, 7]),
        ([[1, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5, 6]], [1, 2, 3, 4, 5, 6]),
        ([[1, 2], []], [1, 2]),
        ([[], [1, 2]], [1, 2]),
    ],
)
def test_words_heard_twice_are_kept_once(spans: list[list[int]], expected: list[int]) -> None:
    assert joined(*spans) == expected


def test_one_equal_token_is_no_agreement() -> None:
    assert shared_middle(np.array([1, 2]), np.array([2, 3])) == (2, 0)


@given(st.lists(st.integers(0, 9**9), min_size=2, max_size=40, unique=True), st.data())
def test_the_true_text_comes_back(words: list[int], data: st.DataObject) -> None:
    stop = data.draw(st.integers(2, len(words)))
    start = data.draw(st.integers(0, stop - 2))
    assert joined(words[:stop], words[start:]) == words


@pytest.mark.reference
@settings(max_examples=300)
@given(spans=SPANS)
def test_as_transformers_joins(joining: ModuleType, spans: list[list[int]]) -> None:
    filled = [span for span in spans if span] or [[1]]
    assert joined(*filled) == joining._find_longest_common_sequence(filled)
