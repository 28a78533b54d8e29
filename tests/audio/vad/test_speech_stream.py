from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quest22.audio.vad.endpoints import EndpointRules
from quest22.audio.vad.speech_stream import SpeechStream
from quest22.records import SpeechChunk
from tests.support.fake_speech import FRAME, FixedProbabilities, joined

S = 16_000


def heard(total: int, probabilities, rules: EndpointRules, sizes=(20 * S,)) -> list[SpeechChunk]:
    """The pieces of a sound whose samples are their own places, fed in blocks of these sizes."""
    stream = SpeechStream(FixedProbabilities(probabilities), rules)
    sound = np.arange(total, dtype=np.float32)
    pieces, at = [], 0
    for number in range(10**6):
        size = sizes[number % len(sizes)]
        pieces += stream.feed(sound[at : at + size])
        at += size
        if at >= total:
            break
    return pieces + stream.flush()


@dataclass(frozen=True)
class Case:
    """Frames of 32 ms: how many at which probability, one after the other."""

    frames: tuple[tuple[int, float], ...]
    rules: EndpointRules
    expected_frames: list[tuple[int, int]]

    @property
    def probabilities(self) -> list[float]:
        return [probability for count, probability in self.frames for _ in range(count)]


NO_PAD = {"pad": 0, "min_silence": 10 * FRAME}
CASES = {
    "one stretch": Case(((20, 0), (20, 1), (20, 0)), EndpointRules(**NO_PAD), [(20, 40)]),
    "a pause that is too short": Case(
        ((5, 1), (9, 0), (5, 1), (20, 0)), EndpointRules(**NO_PAD), [(0, 19)]
    ),
    "a pause that is long enough": Case(
        ((5, 1), (11, 0), (5, 1), (20, 0)), EndpointRules(**NO_PAD), [(0, 5), (16, 21)]
    ),
    "between the thresholds it goes on": Case(
        ((5, 1), (30, 0.4), (11, 0)), EndpointRules(**NO_PAD), [(0, 35)]
    ),
    "between the thresholds it does not begin": Case(((50, 0.4),), EndpointRules(**NO_PAD), []),
    "too short to count": Case(
        ((3, 1), (20, 0), (9, 1), (20, 0)),
        EndpointRules(**NO_PAD, min_speech=5 * FRAME),
        [(23, 32)],
    ),
    "padding": Case(
        ((20, 0), (20, 1), (40, 0)),
        EndpointRules(pad=2 * FRAME, min_silence=10 * FRAME),
        [(18, 42)],
    ),
    "shared silence": Case(
        ((20, 1), (12, 0), (20, 1), (20, 0)),
        EndpointRules(pad=10 * FRAME, min_silence=10 * FRAME),
        [(0, 26), (26, 62)],
    ),
    "too long, cut at a pause": Case(
        ((20, 1), (6, 0), (40, 1), (20, 0)),
        EndpointRules(**NO_PAD, max_speech=50 * FRAME),
        [(0, 20), (26, 66)],
    ),
    "too long, without a pause": Case(
        ((60, 1), (20, 0)), EndpointRules(**NO_PAD, max_speech=50 * FRAME), [(0, 51), (52, 60)]
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_rules(case):
    total = len(case.probabilities) * FRAME
    pieces = heard(total, [*case.probabilities, 0], case.rules)
    assert joined(pieces) == [(start * FRAME, end * FRAME) for start, end in case.expected_frames]


def test_speech_up_to_the_end_ends_with_the_sound():
    pieces = heard(10 * FRAME - 100, [0] * 5 + [1] * 5, EndpointRules(pad=0))
    assert joined(pieces) == [(5 * FRAME, 10 * FRAME - 100)]


def test_nothing_is_no_speech():
    assert heard(0, [0], EndpointRules()) == []


_PROBABILITIES = st.lists(
    st.tuples(st.integers(1, 30), st.sampled_from([0.0, 0.2, 0.34, 0.4, 0.5, 0.9])), max_size=25
)
_RULES = st.builds(
    EndpointRules,
    threshold=st.sampled_from([0.3, 0.5, 0.9]),
    neg_threshold=st.sampled_from([0.01, 0.35, 0.6]),
    min_speech=st.sampled_from([0, 96, 250, 1000]).map(lambda ms: ms * 16),
    max_speech=st.sampled_from([0.6, 1.0, 3.0, inf]).map(lambda seconds: seconds * S - FRAME),
    min_silence=st.sampled_from([0, 32, 100, 160, 500, 2000]).map(lambda ms: ms * 16),
    pad=st.sampled_from([0, 16, 30, 100, 400]).map(lambda ms: ms * 16),
)
_SIZES = st.lists(st.integers(FRAME // 3, 3 * S), min_size=1, max_size=5)


def _sound(runs, tail) -> tuple[int, list[float]]:
    """Length in samples, and the frames of it: the last is filled up with zeros."""
    probabilities = [probability for count, probability in runs for _ in range(count)]
    total = max(0, len(probabilities) * FRAME - tail)
    return total, [*probabilities, 0.0][: total // FRAME + 1]


@given(_PROBABILITIES, st.integers(0, FRAME), _RULES, _SIZES)
def test_stretches_are_in_order_apart_and_hold_their_own_sound(runs, tail, rules, sizes):
    total, probabilities = _sound(runs, tail)
    pieces = heard(total, probabilities, rules, sizes)
    end = 0
    for start, stop in joined(pieces):
        assert end <= start <= stop <= total
        end = stop
    for piece in pieces:
        assert piece.samples.tolist() == list(range(piece.start, piece.start + len(piece.samples)))


@given(_PROBABILITIES, st.integers(0, FRAME), _RULES, _SIZES)
def test_how_the_sound_came_in_changes_nothing(runs, tail, rules, sizes):
    total, probabilities = _sound(runs, tail)
    assert joined(heard(total, probabilities, rules, sizes)) == joined(
        heard(total, probabilities, rules)
    )


@pytest.mark.reference
@settings(max_examples=300)
@given(_PROBABILITIES, st.integers(0, FRAME), _RULES, _SIZES)
def test_stretches_are_those_of_faster_whisper(runs, tail, rules, sizes):
    total, probabilities = _sound(runs, tail)
    assert joined(heard(total, probabilities, rules, sizes)) == _theirs(total, probabilities, rules)


def _theirs(total: int, probabilities, rules: EndpointRules) -> list[tuple[int, int]]:
    vad = pytest.importorskip("faster_whisper.vad")
    longest = (rules.max_speech + FRAME + 2 * rules.pad) / S
    options = vad.VadOptions(
        threshold=rules.threshold,
        neg_threshold=rules.neg_threshold,
        min_speech_duration_ms=rules.min_speech / 16,
        max_speech_duration_s=longest,
        min_silence_duration_ms=rules.min_silence / 16,
        speech_pad_ms=rules.pad / 16,
    )
    told = np.array(probabilities, np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vad, "get_vad_model", lambda: lambda _sound: told)
        found = vad.get_speech_timestamps(np.zeros(total, np.float32), options)
    return [(each["start"], each["end"]) for each in found]


def test_a_long_recording_is_never_held():
    """An hour of talk without a longest speech, and an hour of silence: both pass through."""
    for probability in (1.0, 0.0):
        frames = 3600 * S // FRAME
        stream = SpeechStream(FixedProbabilities([probability] * (frames + 1)), EndpointRules())
        given_samples = 0
        for _ in range(180):
            pieces = stream.feed(np.zeros(20 * S, np.float32))
            given_samples += sum(len(piece.samples) for piece in pieces)
            assert len(stream._buffer._samples) < 2 * S
        assert given_samples >= 3500 * S * probability
