"""What a transcript of several channels looks like in every format."""

from __future__ import annotations

import json
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from quest22.records import DroppedSegment, Segment, Word
from quest22.settings import CaptionSettings
from quest22.sink.formats.arrow_table import schema_of, table_of, widened
from quest22.sink.formats.captions import CAPTIONS
from quest22.sink.formats.parquet import ParquetSink, read_parquet
from quest22.sink.rows import row
from quest22.sink.stored_rows import tidy, transcript_of
from tests.support.results import transcript


def segment(channel: int, start_s: float, end_s: float, *words: str) -> Segment:
    step_s = (end_s - start_s) / len(words)
    timed = tuple(
        Word(start_s + number * step_s, start_s + (number + 1) * step_s, f" {word}", 0.5)
        for number, word in enumerate(words)
    )
    text = "".join(word.text for word in timed)
    return Segment(start_s, end_s, text, words=timed, channel=channel)


TURNS = (
    segment(0, 0.0, 2.0, "May", "I"),
    segment(1, 1.0, 3.0, "Yes."),
    segment(0, 2.0, 4.0, "come", "in?"),
)
CALL = transcript(text="May I Yes. come in?", segments=TURNS)
LAYOUTS = {
    "readable": CaptionSettings(),
    "whole": CaptionSettings(caption_length=None),
    "width": CaptionSettings(max_line_width=40, max_line_count=2),
    "sentences": CaptionSettings(sentences=True),
}


def test_text_and_captions_say_which_channel_speaks() -> None:
    assert CAPTIONS["txt"](CALL, CaptionSettings()) == (
        "[LEFT]: May I\n[RIGHT]: Yes.\n[LEFT]: come in?\n"
    )
    assert CAPTIONS["tsv"](CALL, CaptionSettings()).splitlines()[2] == "1000\t3000\t[RIGHT]: Yes."
    assert CAPTIONS["srt"](CALL, CaptionSettings()).split("\n\n")[:2] == [
        "1\n00:00:00,000 --> 00:00:02,000\n[LEFT]: May I",
        "2\n00:00:01,000 --> 00:00:03,000\n[RIGHT]: Yes.",
    ]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["srt", "vtt", "lrc", "ass"])
def test_no_caption_joins_two_channels(name: str, layout: str) -> None:
    document = CAPTIONS[name](CALL, LAYOUTS[layout])
    marked = [line for line in document.splitlines() if "[LEFT]: " in line or "[RIGHT]: " in line]
    right = [line for line in marked if "Yes." in line]
    assert len(right) == 1
    assert right[0].endswith("[RIGHT]: Yes.")
    assert all("[LEFT]: " in line for line in marked if line not in right)
    assert len(marked) == (2 if layout in ("width", "sentences") else 3)


def test_sentences_go_on_over_the_other_channels_words() -> None:
    lines = CAPTIONS["txt"](CALL, LAYOUTS["sentences"]).splitlines()
    assert lines == ["[LEFT]: May I come in?", "[RIGHT]: Yes."]


def test_more_than_two_channels_are_numbered_even_if_some_are_silent() -> None:
    silent = DroppedSegment(0.0, 4.5, "no speech", channel=3)
    document = CAPTIONS["txt"](replace(CALL, dropped=(silent,)), CaptionSettings())
    assert document.splitlines()[1] == "[CHANNEL 1]: Yes."


def test_json_keeps_texts_as_they_are_and_names_channels() -> None:
    document = json.loads(CAPTIONS["json"](CALL, CaptionSettings()))
    assert [each["channel"] for each in document["segments"]] == [0, 1, 0]
    assert [each["text"] for each in document["segments"]] == [" May I", " Yes.", " come in?"]
    assert document["segments"][1]["words"][0]["channel"] == 1


def test_rows_carry_channels_and_are_read_back() -> None:
    told = replace(CALL, dropped=(DroppedSegment(4.0, 4.5, "loop", "la", channel=1),))
    values = json.loads(json.dumps(row(told)))
    assert [each["channel"] for each in values["segments"]] == [0, 1, 0]
    assert values["segments"][0]["words"][1]["channel"] == 0
    again = transcript_of(values, told.name)
    assert [each.channel for each in again.segments] == [0, 1, 0]
    assert again.dropped == told.dropped
    mono = row(transcript(dropped=(DroppedSegment(4.0, 4.5, "loop"),)))
    assert "channel" not in json.dumps(mono)


def test_parquet_has_the_field_only_where_channels_are_apart(tmp_path, monkeypatch) -> None:
    mono = transcript("mono", dropped=(DroppedSegment(4.0, 4.5, "loop"),))
    monkeypatch.setattr("quest22.sink.formats.parquet.GROUP_ROWS", 2)
    path = tmp_path / "t.parquet"
    sink = ParquetSink(path, tmp_path / "rows")
    for result in (mono, mono, CALL, mono, mono):
        sink.write(result)
    sink.close()
    assert "channel" not in str(pq.read_schema(path))
    assert "channel" in str(pq.read_schema(tmp_path / "t-2.parquet"))
    rows = [tidy(each) for each in read_parquet(path)]
    expected = [mono, mono, CALL, mono, mono]
    assert [each["segments"] for each in rows] == [row(each)["segments"] for each in expected]
    assert [each.get("dropped") for each in rows] == [row(each).get("dropped") for each in expected]


def test_a_published_schema_grows_by_the_field() -> None:
    mono, call = row(transcript()), row(CALL)
    schema = widened(schema_of([mono]), [call])
    table = table_of([mono, call], widened(schema, [mono]))
    assert [each["channel"] for each in table["segments"][1].as_py()] == [0, 1, 0]
