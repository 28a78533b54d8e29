from __future__ import annotations

import logging
import random
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quest22.decoding.timestamps import drop_unfinished
from quest22.longform.windowing import Chunk, Chunker, StrideLengths
from quest22.settings import LongFormSettings
from tests.support.listening import NUMBERS, RATE, Listener, sound, transcribe

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
    for index, cut in enumerate(cuts(duration_s)):
        kept = [drop_unfinished(tokens, NUMBERS.timestamp_begin)[0] for tokens in answers[index]]
        tokens = np.array([[token for each in kept for token in each]], np.int64)
        stride = tuple(samples / RATE for samples in (len(cut.samples), cut.left, cut.right))
        outputs.append({"tokens": tokens, "stride": stride})
    text, _ = joining._decode_asr(
        NUMBERS, outputs, return_timestamps=timestamps, return_language=None, time_precision=0.02
    )
    return str(text)


def cuts(duration_s: float) -> list[Chunk]:
    cutter = Chunker(LENGTHS)
    return cutter.feed(sound(duration_s)) + cutter.flush()


@pytest.fixture(autouse=True)
def quiet() -> None:
    """Transformers logs a warning for every text that has no last timestamp."""
    logging.getLogger("transformers").setLevel(logging.ERROR)


WORDS = st.one_of(st.integers(0, 899), st.integers(0, 4))


@st.composite
def listeners(draw: st.DrawFn, duration_s: int) -> Listener:
    every_s = draw(st.sampled_from([1.0, 3.0]))
    count = int(duration_s / every_s)
    words = draw(st.lists(WORDS, min_size=count, max_size=count))
    return Listener(
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
    listener = data.draw(listeners(duration_s))
    transcript = transcribe(sound(duration_s), listener, timestamps=timestamps)
    theirs = transformers_text(joining, duration_s, listener.answers, timestamps=timestamps)
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
        listener = Listener(words, chance.randrange(9**9), chance.random() / 3, chance.random() / 3)
        transcript = transcribe(sound(duration_s), listener, timestamps=timestamps)
        theirs = transformers_text(joining, duration_s, listener.answers, timestamps=timestamps)
        assert transcript.text == theirs.strip()
