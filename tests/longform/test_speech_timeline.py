from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.longform.speech_timeline import SpeechTimeline
from quest22.records import DroppedSegment, Segment, Word

S = 16_000


def timeline(*spans: tuple[float, float]) -> SpeechTimeline:
    """From starts and ends in seconds."""
    made = SpeechTimeline()
    for start_s, end_s in spans:
        made.add(round(start_s * S), round((end_s - start_s) * S))
    return made


TWO = timeline((2, 5), (10, 14))


@pytest.mark.parametrize(
    ("time_s", "start_s", "end_s"),
    [(0, 2, 2), (1.5, 3.5, 3.5), (3, 10, 5), (3.01, 10.01, 10.01), (7, 14, 14), (8, 14, 14)],
)
def test_times_in_the_clip(time_s, start_s, end_s):
    assert (TWO.start_s(time_s), TWO.end_s(time_s)) == (start_s, end_s)


def test_silences_are_what_is_not_kept():
    assert list(TWO.silences(20 * S)) == [
        DroppedSegment(0, 2, "no speech"),
        DroppedSegment(5, 10, "no speech"),
        DroppedSegment(14, 20, "no speech"),
    ]
    assert list(timeline((0, 3)).silences(3 * S)) == []
    assert list(SpeechTimeline().silences(S)) == [DroppedSegment(0, 1, "no speech")]


def test_spans_that_touch_are_one():
    touching = timeline((2, 5), (5, 6), (6, 6), (8, 9))
    assert [(each.start_s, each.end_s) for each in touching.silences(9 * S)] == [(0, 2), (6, 8)]
    assert touching.start_s(3) == 5


def test_a_segment_over_a_seam_spans_the_silence():
    assert TWO.segment(Segment(1, 4, " a")) == Segment(3, 11, " a")


def test_words_stay_in_their_span_and_make_the_segments_times():
    words = (Word(0.5, 1, " a", 1), Word(2.5, 3.2, " b", 1), Word(2.9, 4, " c", 1))
    segment = TWO.segment(Segment(0, 5, " a b c", words=words))
    assert [(w.start_s, w.end_s) for w in segment.words] == [(2.5, 3), (4.5, 5), (10, 11)]
    assert (segment.start_s, segment.end_s) == (2.5, 11)


def test_what_was_dropped_inside_keeps_its_reason_and_text():
    assert TWO.dropped(DroppedSegment(3, 4, "a loop", "x")) == DroppedSegment(10, 11, "a loop", "x")


_STRETCHES = st.lists(
    st.tuples(st.integers(1, 9 * S), st.integers(1, 9 * S)), min_size=1, max_size=6
)


def _strung(lengths):
    made, position, kept = SpeechTimeline(), 0, []
    for silence, length in lengths:
        position += silence
        made.add(position, length)
        kept.append({"start": position, "end": position + length})
        position += length
    return made, kept, position


@given(_STRETCHES, st.lists(st.floats(0, 60), min_size=2, max_size=8))
def test_times_keep_their_order_and_lie_in_speech(lengths, times):
    made, kept, _ = _strung(lengths)
    times.sort()
    for there in ([made.start_s(time) for time in times], [made.end_s(time) for time in times]):
        assert there == sorted(there)
        for time in there:
            assert any(
                each["start"] / S - 0.005 <= time <= each["end"] / S + 0.005 for each in kept
            )


@given(_STRETCHES, st.integers(0, 99))
def test_silence_and_speech_are_the_whole_clip(lengths, tail):
    made, kept, end = _strung(lengths)
    silent = sum(each.end_s - each.start_s for each in made.silences(end + tail))
    spoken = sum(each["end"] - each["start"] for each in kept)
    assert silent * S + spoken == pytest.approx(end + tail)


@pytest.mark.reference
@given(_STRETCHES, st.data())
def test_times_are_those_of_faster_whisper(lengths, data):
    vad = pytest.importorskip("faster_whisper.vad")
    made, kept, _ = _strung(lengths)
    theirs = vad.SpeechTimestampsMap(kept, S)
    total = sum(each["end"] - each["start"] for each in kept)
    for sample in data.draw(st.lists(st.integers(0, total - 1), max_size=5)):
        if int(sample / S * S) == sample:  # faster-whisper cuts the product off: misses some seams
            assert made.start_s(sample / S) == pytest.approx(
                theirs.get_original_time(sample / S), abs=0.0101
            )
    for seam in theirs.chunk_end_sample:
        if int(seam / S * S) == seam:
            assert made.end_s(seam / S) == pytest.approx(
                theirs.get_original_time(seam / S, is_end=True), abs=0.0101
            )
