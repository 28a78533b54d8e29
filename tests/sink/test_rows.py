from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.records import Confidence, DroppedSegment, Segment, Word
from quest22.sink.rows import OWN_COLUMNS, failure_row, row, row_names
from tests.support.results import failure, transcript


def test_our_columns_come_first_and_origin_last():
    made = row(transcript(reference="hello", columns={"speaker": "ann"}))
    assert list(made) == [
        "id", "text", "reference", "language", "language_probability", "duration", "segments",
        "speaker", "origin",
    ]  # fmt: skip
    assert made["origin"] == {
        "dataset": "org/speech",
        "revision": "0123abc",
        "file": "data/a.parquet",
        "row": 7,
    }


def test_no_reference_means_no_reference_column():
    assert "reference" not in row(transcript())


def test_seconds_are_rounded_to_milliseconds():
    made = row(transcript(duration_s=1.00049, segments=(Segment(0.1 + 0.2, 1.0, "a"),)))
    assert (made["duration"], made["segments"][0]["start"]) == (1.0, 0.3)


def test_what_was_dropped_appears_only_where_there_is_any():
    stretch = DroppedSegment(1.00049, 2, "no speech")
    assert "dropped" not in row(transcript())
    assert row(transcript(dropped=(stretch,)))["dropped"] == [
        {"start": 1.0, "end": 2, "reason": "no speech", "text": ""}
    ]


def test_words_appear_only_where_there_are_any():
    word = Word(0.0, 0.5, " a", 0.25)
    bare, worded = row(
        transcript(segments=(Segment(0, 1, "a"), Segment(0, 1, "a", words=(word,))))
    )["segments"]
    assert "words" not in bare
    assert worded["words"] == [{"start": 0.0, "end": 0.5, "word": " a", "probability": 0.25}]


def test_confidence_of_clip_and_segment_where_there_is_any():
    segment = Segment(0, 1, "a", language="ru", language_probability=0.98765)
    made = row(transcript(segments=(segment,), confidence=Confidence(-0.123456, 0.01, 1.5, 0.2)))
    assert made["confidence"] == {
        "avg_logprob": -0.1235, "no_speech_prob": 0.01, "compression_ratio": 1.5,
        "temperature": 0.2,
    }  # fmt: skip
    assert (made["segments"][0]["language"], made["segments"][0]["language_probability"]) == (
        "ru",
        0.9877,
    )
    assert "confidence" not in row(transcript())


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["speaker"], ["speaker"]),
        (["text"], ["source_text"]),
        (["text", "source_text"], ["source_text_2", "source_text"]),
        (["id", "source_id", "source_id_2"], ["source_id_3", "source_id", "source_id_2"]),
    ],
)
def test_collisions_with_our_columns(columns, expected):
    assert list(row_names(columns).values()) == expected


_NAMES = st.sampled_from([*OWN_COLUMNS, *(f"source_{name}" for name in OWN_COLUMNS), "a", "b"])


@given(st.lists(_NAMES, unique=True))
def test_row_names_never_collide(columns):
    names = row_names(columns)
    assert list(names) == columns
    assert len({*names.values(), *OWN_COLUMNS}) == len(columns) + len(OWN_COLUMNS)


def test_failure_row():
    assert failure_row(failure("a.mp3")) == {
        "id": "a.mp3",
        "name": "a.mp3",
        "stage": "audio",
        "reason": "no sound in it",
        "origin": row(transcript())["origin"],
    }
