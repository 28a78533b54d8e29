from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.records import DroppedSegment
from quest22.runs.left_out import LeftOut, lacks_text, seconds_by_reason
from tests.support.results import transcript

LOOP = DroppedSegment(1.0, 4.0, "loop", "and and and")
SILENCE = DroppedSegment(0.0, 4.5, "no speech")


@pytest.mark.parametrize(
    ("text", "dropped", "duration_s", "lacks"),
    [
        ("Hello.", (LOOP,), 4.5, False),
        (" ", (LOOP,), 4.5, True),
        ("", (SILENCE,), 4.5, False),
        ("", (SILENCE, LOOP), 4.5, True),
        ("", (), 4.5, True),
        ("", (), 1.0, False),
    ],
)
def test_clips_without_text_though_they_have_speech(text, dropped, duration_s, lacks):
    clip = transcript(text=text, dropped=dropped, duration_s=duration_s)
    assert lacks_text(clip) is lacks
    left_out = LeftOut()
    left_out.add(clip)
    assert left_out.without_text == lacks


@pytest.mark.parametrize(
    ("spans", "seconds"),
    [
        ([], {}),
        ([(0, 2, "loop"), (5, 6, "no speech")], {"loop": 2, "no speech": 1}),
        ([(0, 30, "loop"), (20, 50, "loop")], {"loop": 50}),
        ([(0, 30, "loop"), (5, 10, "loop")], {"loop": 30}),
        ([(0, 30, "loop"), (20, 50, "no speech")], {"loop": 30, "no speech": 30}),
    ],
)
def test_overlapping_spans_count_once(spans, seconds):
    assert seconds_by_reason(DroppedSegment(*span) for span in spans) == seconds


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)).map(sorted), max_size=8))
def test_seconds_are_those_of_the_union(spans):
    covered = {second for start, end in spans for second in range(start, end)}
    told = seconds_by_reason(DroppedSegment(start, end, "loop") for start, end in spans)
    assert told.get("loop", 0) == len(covered)
