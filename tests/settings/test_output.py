from __future__ import annotations

from pathlib import Path

import pytest

from quest22.errors import UsageError
from quest22.settings import (
    CAPTION_FORMATS,
    RUN_FOLDER,
    FailureSettings,
    OutputSettings,
    parse_formats,
)
from quest22.sink.formats.captions import CAPTIONS


def test_every_caption_format_has_a_writer():
    assert tuple(CAPTIONS) == CAPTION_FORMATS


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"on_error": "retry"}, "on_error is 'retry': expected skip or stop"),
        ({"max_failures": -1}, "max_failures is -1: expected 0 or more"),
    ],
)
def test_impossible_policies_are_refused(values, message):
    with pytest.raises(UsageError, match=message):
        FailureSettings(**values)


@pytest.mark.parametrize(
    ("policy", "limit"),
    [
        (FailureSettings(), None),
        (FailureSettings(max_failures=3), 3),
        (FailureSettings("stop", 3), 0),
    ],
)
def test_how_many_clips_may_fail(policy, limit):
    assert policy.limit == limit


def test_the_workspace_is_inside_the_folder():
    assert OutputSettings(("jsonl",), Path("out")).workspace == Path("out") / RUN_FOLDER


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        (["srt"], ("srt",)),
        (["srt,VTT", "jsonl"], ("srt", "vtt", "jsonl")),
        (["srt", "srt"], ("srt",)),
        (["all"], ("txt", "vtt", "srt", "tsv", "json")),
        (["all,parquet"], ("txt", "vtt", "srt", "tsv", "json", "parquet")),
    ],
)
def test_formats(named, expected):
    assert parse_formats(named) == expected


@pytest.mark.parametrize("named", ["sub", "srt,", "", "srt;vtt"])
def test_an_unknown_format_lists_those_there_are(named):
    with pytest.raises(UsageError, match="; recordings are named without a flag"):
        parse_formats(["talk.wav"])
    with pytest.raises(UsageError, match=r"unknown output format .*jsonl, parquet, all$"):
        parse_formats([named])


@pytest.mark.parametrize(
    ("formats", "message"),
    [
        (("srt", "vtt"), "2 formats .* --output-dir"),
        (("parquet",), "parquet cannot go to standard output"),
        ((), "no output format"),
    ],
)
def test_what_cannot_go_to_standard_output(formats, message):
    with pytest.raises(UsageError, match=message):
        OutputSettings(formats)
