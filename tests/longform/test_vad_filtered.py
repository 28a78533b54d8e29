from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.errors import ClipError
from quest22.longform.chunked import ChunkedStrategy
from quest22.longform.vad_filtered import VadFilteredClip, VadFilteredStrategy, VadFilterOptions
from quest22.records import Alignment, Clip, DroppedSegment, Origin, Samples, SpeechChunk
from quest22.settings import DecodingSettings, LongFormSettings
from tests.support.fake_whisper import (
    CLIP,
    NUMBERS,
    FakeWhisper,
    make_hypothesis,
    sound,
    timestamp_token,
)

S = 16_000
PACKED = VadFilterOptions(NUMBERS, whole_spans=True)
AUTO = VadFilterOptions(NUMBERS, whole_spans=True, whole_clip=30 * S, language="ru")


class Told:
    """A detector that was told the spans of speech, in seconds; gives them in pieces."""

    def __init__(self, *spans: tuple[float, float]) -> None:
        self._bounds = [(round(start * S), round(end * S)) for start, end in spans]
        self._fed = 0

    def feed(self, samples: Samples) -> list[SpeechChunk]:
        begun, self._fed = self._fed, self._fed + len(samples)
        pieces = []
        for start, end in self._bounds:
            low, high = max(start, begun), min(end, self._fed)
            if low < high:
                pieces.append(SpeechChunk(samples[low - begun : high - begun], low, high == end))
        return pieces

    def flush(self) -> list[SpeechChunk]:
        return []


def opened(
    *spans: tuple[float, float], options: VadFilterOptions = PACKED, clip: Clip = CLIP
) -> VadFilteredClip:
    decoding = DecodingSettings(timestamps=True)
    inner = ChunkedStrategy(LongFormSettings(), decoding, NUMBERS, packed=options.whole_spans)
    return VadFilteredStrategy(inner, lambda: Told(*spans), options).open(clip)


def run(long_form: VadFilteredClip, samples: Samples, listen, block: int = 20 * S):
    todo = []
    for at in range(0, len(samples), block):
        todo += long_form.feed(samples[at : at + block])
    todo += long_form.flush()
    windows = []
    while todo:
        windows.append(todo.pop(0))
        todo = long_form.add_result(windows[-1], listen(windows[-1])) + todo
    assert long_form.finished
    return windows, long_form.close()


def starts(windows) -> list[list[int]]:
    """Where in the clip each window's spans begin: its samples are their own places."""
    return [
        [round(w.samples[0] / S), *(round(w.samples[i + 1] / S) for i in _jumps(w.samples))]
        for w in windows
    ]


def _jumps(samples: Samples):
    return np.flatnonzero(np.diff(samples) > 1)


def test_spans_are_packed_into_windows_and_silence_is_not_heard():
    long_form = opened((5, 15), (40, 55), (90, 99), (200, 225))
    windows, transcript = run(
        long_form,
        sound(300),
        lambda _window: make_hypothesis(timestamp_token(0), 7, timestamp_token(1)),
    )
    assert starts(windows) == [[5, 40], [90], [200]]
    assert [window.duration_s for window in windows] == [25, 9, 25]
    assert transcript.duration_s == 300
    assert [(s.start_s, s.end_s) for s in transcript.segments] == [(5, 6), (90, 91), (200, 201)]
    assert transcript.dropped == tuple(
        DroppedSegment(start, end, "no speech")
        for start, end in [(0, 5), (15, 40), (55, 90), (99, 200), (225, 300)]
    )


def test_times_are_those_of_the_clip():
    heard = make_hypothesis(
        timestamp_token(0), 1, timestamp_token(9.5), timestamp_token(10), 2, timestamp_token(25)
    )
    _, transcript = run(opened((5, 15), (40, 55)), sound(60), lambda _window: heard)
    assert [(s.start_s, s.end_s) for s in transcript.segments] == [(5, 14.5), (40, 55)]
    assert transcript.text == "1 2"


def test_a_time_behind_a_windows_sound_does_not_reach_into_the_next():
    """The model gives an end that lies in the padding of the first window."""
    long_form = opened((5, 15), (400, 425))
    _, transcript = run(
        long_form,
        sound(500),
        lambda _window: make_hypothesis(timestamp_token(0), 7, timestamp_token(12)),
    )
    assert [(s.start_s, s.end_s) for s in transcript.segments] == [(5, 15), (400, 412)]


def test_windows_that_end_and_begin_alike_are_not_taken_for_one():
    """Overlapping windows would be joined by their common words; these share no sound."""
    heard = make_hypothesis(1, 2, 3, 4)
    _, transcript = run(opened((0, 20), (30, 50)), sound(60), lambda _window: heard)
    assert transcript.text == "1 2 3 4 1 2 3 4"
    assert [segment.tokens for segment in transcript.segments] == [(1, 2, 3, 4)] * 2


def test_nobody_speaks():
    clip = Clip("k", "n", b"", Origin("d", row=4), reference="one", columns={"speaker": 7})
    long_form = opened(clip=clip, options=AUTO)
    windows, transcript = run(long_form, sound(50), lambda _window: make_hypothesis(9))
    assert windows == []
    assert (transcript.key, transcript.reference, transcript.columns) == (
        "k",
        "one",
        {"speaker": 7},
    )
    assert (transcript.text, transcript.segments, transcript.duration_s) == ("", (), 50)
    assert (transcript.language, transcript.language_probability) == ("ru", 1)
    assert transcript.dropped == (DroppedSegment(0, 50, "no speech"),)


def test_no_sound_is_still_a_failure():
    with pytest.raises(ClipError, match="holds no sound"):
        opened().flush()


@pytest.mark.parametrize(
    ("length_s", "spans", "expected"),
    [
        (30, [(5, 10)], [[0]]),
        (30, [(5, 10), (20, 25)], [[0]]),
        (30, [], []),
        (30.1, [(5, 10), (20, 25)], [[5, 20]]),
    ],
)
def test_auto_leaves_clips_of_one_window_whole_if_anybody_speaks(length_s, spans, expected):
    long_form = opened(*spans, options=AUTO)
    windows, transcript = run(
        long_form, sound(length_s), lambda _window: make_hypothesis(7), block=7 * S
    )
    assert starts(windows) == expected
    if expected == [[0]]:
        assert transcript.dropped == ()


def test_a_strategy_that_takes_any_blocks_gets_speech_as_it_comes():
    long_form = opened((5, 125), options=VadFilterOptions(NUMBERS, whole_spans=False))
    fed = long_form.feed(sound(100))
    assert [window.start_s for window in fed] == [0, 20, 40, 60]
    assert fed[0].samples[0] == 5 * S


_CUTS = st.lists(st.integers(1, 30), min_size=2, max_size=9)


@given(_CUTS, st.integers(0, 99))
def test_every_word_in_speech_is_heard_once_at_its_time(lengths, seed):
    """Silence and speech by turns; a model that makes no mistakes."""
    ends = np.cumsum(lengths).tolist()
    spans = list(zip(ends[::2], ends[1::2], strict=False))
    total = ends[-1] + 3
    places = [second + 0.5 for start, end in spans for second in range(start, end)]
    long_form = opened(*spans)
    strung, kept = [], 0
    for start, end in spans:
        strung += [(kept + second - start + 0.5, second) for second in range(start, end)]
        kept += end - start
    listen = FakeWhisper(strung, seed, mistakes=0, breaks=1)
    _, transcript = run(long_form, sound(total), listen)
    assert transcript.text == " ".join(str(int(place)) for place in places)
    for segment in transcript.segments:
        assert any(start <= segment.start_s <= end for start, end in spans)
        assert any(start <= segment.end_s <= end for start, end in spans)


@pytest.mark.parametrize("keep_words", [True, False])
def test_a_sentence_over_a_long_silence_is_split_by_its_words(keep_words: bool) -> None:
    decoding = DecodingSettings(timestamps=True, word_timestamps=True)
    inner = ChunkedStrategy(LongFormSettings(), decoding, NUMBERS, packed=True)
    options = VadFilterOptions(NUMBERS, whole_spans=True, keep_words=keep_words)
    spans = [(5, 10), (10.5, 15), (55, 60)]
    long_form = VadFilteredStrategy(inner, lambda: Told(*spans), options).open(CLIP)
    alignment = Alignment((1.0, 2.0, 6.0, 7.0, 10.5, 11.0), (1.0,) * 5)
    heard = make_hypothesis(timestamp_token(0.5), 1, 2, 3, 4, 5, timestamp_token(14))
    _, transcript = run(long_form, sound(70), lambda _window: replace(heard, alignment=alignment))
    assert [(each.start_s, each.end_s, each.text) for each in transcript.segments] == [
        (6, 15, " 1 2 3 4"),
        (56, 56.5, " 5"),
    ]
    assert all((each.words is not None) == keep_words for each in transcript.segments)
    silences = [(each.start_s, each.end_s) for each in transcript.dropped]
    assert silences == [(0, 5), (15, 55), (60, 70)]  # but not the pause in the first segment
