from __future__ import annotations

import json

import pytest

from quest22.records import Segment, Word
from quest22.settings import CaptionSettings
from quest22.sink.build import OutputSettings, open_sinks
from quest22.sink.formats.captions import CAPTIONS, timestamp
from tests.support.results import failure, transcript

TALK = transcript(
    text=" Hello there.\n General\tKenobi --> you.",
    segments=(
        Segment(0.0, 1.5, " Hello there.", (50364, 2425), -0.25, 0.01, 0.8, 0.0),
        Segment(3661.5, 3662.0, " General\tKenobi --> you."),
    ),
)

EXPECTED = {
    "txt": "Hello there.\nGeneral\tKenobi --> you.\n",
    "srt": (
        "1\n00:00:00,000 --> 00:00:01,500\nHello there.\n\n"
        "2\n01:01:01,500 --> 01:01:02,000\nGeneral\tKenobi -> you.\n\n"
    ),
    "vtt": (
        "WEBVTT\n\n"
        "00:00.000 --> 00:01.500\nHello there.\n\n"
        "01:01:01.500 --> 01:01:02.000\nGeneral\tKenobi -> you.\n\n"
    ),
    "tsv": ("start\tend\ttext\n0\t1500\tHello there.\n3661500\t3662000\tGeneral Kenobi --> you.\n"),
}
"""What openai/whisper's writers (``whisper/utils.py``) give for the same segments."""


OFF = CaptionSettings(caption_length=None)


@pytest.mark.parametrize("name", EXPECTED)
def test_documents_are_those_of_openai_whisper(name):
    assert CAPTIONS[name](TALK, OFF) == EXPECTED[name]


def test_only_formats_of_cues_are_split():
    long = transcript(segments=(Segment(0.0, 20.0, " Here is a sentence, and more." * 9),))
    for name, write in CAPTIONS.items():
        assert (write(long) != write(long, OFF)) is (name in ("srt", "vtt", "lrc", "ass"))


def test_json_has_the_keys_of_openai_whisper():
    made = json.loads(CAPTIONS["json"](TALK))
    assert list(made) == ["text", "segments", "language"]
    assert made["segments"][0] == {
        "id": 0,
        "seek": 0,
        "start": 0.0,
        "end": 1.5,
        "text": " Hello there.",
        "tokens": [50364, 2425],
        "temperature": 0.0,
        "avg_logprob": -0.25,
        "compression_ratio": 0.8,
        "no_speech_prob": 0.01,
    }
    assert [segment["id"] for segment in made["segments"]] == [0, 1]


def test_words_of_a_segment_are_written_to_json():
    segment = Segment(0, 1, " a", words=(Word(0.0, 0.5, " a", 0.5),))
    made = json.loads(CAPTIONS["json"](transcript(segments=(segment,))))
    assert made["segments"][0]["words"] == [
        {"word": " a", "start": 0.0, "end": 0.5, "probability": 0.5}
    ]


@pytest.mark.parametrize("name", CAPTIONS)
def test_without_segments_the_text_is_one(name):
    bare = transcript(segments=())
    whole = transcript(segments=(Segment(0.0, bare.duration_s, bare.text),))
    assert CAPTIONS[name](bare) == CAPTIONS[name](whole)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("txt", ""), ("srt", ""), ("vtt", "WEBVTT\n\n"), ("tsv", "start\tend\ttext\n")],
)
def test_silence_gives_an_empty_document(name, expected):
    assert CAPTIONS[name](transcript(text="", segments=())) == expected


def test_an_empty_line_cannot_end_a_cue():
    made = CAPTIONS["srt"](transcript(segments=(Segment(0, 1, "a\n\n2\nb"),)), OFF)
    assert made == "1\n00:00:00,000 --> 00:00:01,000\na\n2\nb\n\n"


@pytest.mark.parametrize(
    ("seconds", "hours", "expected"),
    [
        (0.0, False, "00:00.000"),
        (0.0, True, "00:00:00.000"),
        (59.9996, False, "01:00.000"),
        (3599.9999, False, "01:00:00.000"),
        (360_000.0, False, "100:00:00.000"),
        (-0.01, False, "00:00.000"),
    ],
)
def test_timestamps(seconds, hours, expected):
    assert timestamp(seconds, hours=hours, mark=".") == expected


def test_files_are_named_after_the_clips(tmp_path):
    sink = open_sinks(OutputSettings(("srt", "txt"), tmp_path))
    for result in (transcript("a/talk.mp3"), failure(), transcript("a/talk.wav")):
        sink.write(result)
    sink.close()
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*"))
    assert names == ["a/talk-2.srt", "a/talk-2.txt", "a/talk.srt", "a/talk.txt", "failures.jsonl"]
    assert (tmp_path / "a" / "talk.txt").read_text() == "Hello there.\n"
