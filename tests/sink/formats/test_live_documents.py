from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.errors import UsageError
from quest22.records import LiveEvent, Origin, Segment, Transcript, Word
from quest22.settings import CaptionSettings
from quest22.sink.formats.captions import CAPTIONS
from quest22.sink.formats.live_documents import LIVE_FORMATS, live_document, live_format
from quest22.sink.formats.live_events import event_fields
from tests.support.live_events import event, final

PLAIN = CaptionSettings()
TALK = [
    final(0, "Do you have an old book?", 1.0),
    final(1, "", 5.0),
    final(2, "Turn right after the bridge and then go on for three hundred kilometers.", 6.0),
]


def written(name: str, events: list[LiveEvent], settings: CaptionSettings = PLAIN) -> str:
    document = live_document(name, settings)
    return document.head + "".join(map(document.add, events))


def transcript(events: list[LiveEvent]) -> Transcript:
    """The same as of a recording."""
    segments = tuple(
        Segment(
            each.words[0].start_s,
            each.words[-1].end_s,
            each.text,
            words=tuple(Word(w.start_s, w.end_s, w.text, w.probability) for w in each.words),
        )
        for each in events
        if each.text
    )
    text = "".join(each.text for each in segments).strip()
    end_s = events[-1].audio_end_s
    return Transcript("a", "a", text, "en", 1.0, end_s, segments, Origin("a"))


@pytest.mark.parametrize("name", ["txt", "srt", "vtt", "tsv"])
@pytest.mark.parametrize(
    "settings",
    [
        PLAIN,
        CaptionSettings(caption_length=30),
        CaptionSettings(max_line_width=20),
        CaptionSettings(sentences=True),
        CaptionSettings(highlight_words=True),
    ],
)
def test_captions_are_those_of_a_recording(name: str, settings: CaptionSettings) -> None:
    assert written(name, TALK, settings) == CAPTIONS[name](transcript(TALK), settings)


def test_cues_do_not_overlap_where_segments_do() -> None:
    document = live_document("srt", PLAIN)
    document.add(final(0, "Yes.", 0.0, audio_end_s=3.0))
    assert document.add(final(1, "No.", 0.6)) == "2\n00:00:00,800 --> 00:00:01,400\nNo.\n\n"


def test_lines_of_json_are_events() -> None:
    lines = [json.loads(line) for line in written("jsonl", TALK).splitlines()]
    assert lines == [event_fields(each) for each in TALK]


def test_fields_of_an_event() -> None:
    committed = event("committed", 3, "Good morning", 1, 2.0, revision=4, latency_s=0.61239)
    assert event_fields(committed) == {
        "type": "committed",
        "segment": 3,
        "revision": 4,
        "text": " Good morning",
        "words": [
            {"word": " Good", "start": 2.0, "end": 2.5, "probability": 0.9, "stable": True},
            {"word": " morning", "start": 2.5, "end": 3.0, "probability": 0.9, "stable": False},
        ],
        "audio_end": 3.3,
        "latency_ms": 612,
        "language": "en",
    }
    assert event_fields(replace(committed, latency_s=None))["latency_ms"] is None


def test_formats_by_name() -> None:
    assert [live_format(name) for name in ("text", "SRT", "jsonl")] == ["txt", "srt", "jsonl"]
    with pytest.raises(UsageError, match="unknown live format 'json': expected one of txt, srt"):
        live_format("json")


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), max_size=6),
    st.sampled_from(LIVE_FORMATS),
)
def test_any_text_leaves_a_document_whole(texts: list[str], name: str) -> None:
    events = [final(at, text, at * 10.0) for at, text in enumerate(texts)]
    document = live_document(name, PLAIN)
    parts = [document.head, *map(document.add, events)]
    ends = "\n\n" if name in ("srt", "vtt") else "\n"
    assert all(part.endswith(ends) for part in parts if part)
    if name == "jsonl":
        assert len("".join(parts).split("\n")) == len(events) + 1
