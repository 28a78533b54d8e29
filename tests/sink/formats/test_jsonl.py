from __future__ import annotations

import json
from datetime import date, datetime, timezone
from decimal import Decimal

import numpy as np
import pytest

from quest22.sink.files import AppendedFile
from quest22.sink.formats.json_values import json_text
from quest22.sink.formats.jsonl import FailureSink, JsonLinesSink
from tests.support.results import failure, transcript


def test_a_line_for_each_transcript_and_none_for_failures(tmp_path):
    path = tmp_path / "out" / "transcripts.jsonl"
    sink = JsonLinesSink(AppendedFile(path))
    sink.write(transcript("a"))
    sink.write(failure("b"))
    sink.write(transcript("c", "Привет, мир\u2028"))
    sink.close()
    lines = path.read_bytes().decode().split("\n")
    assert [json.loads(line)["id"] for line in lines[:-1]] == ["a", "c"]
    assert "Привет" in lines[1]
    assert lines[-1] == ""


def test_a_line_is_on_the_disk_before_the_next_is_made(tmp_path):
    path = tmp_path / "transcripts.jsonl"
    sink = JsonLinesSink(AppendedFile(path))
    sink.write(transcript("a"))
    assert json.loads(path.read_text("utf-8"))["id"] == "a"
    sink.close()


def test_failures_make_a_file_only_when_there_is_one(tmp_path):
    path = tmp_path / "failures.jsonl"
    sink = FailureSink(path)
    sink.write(transcript())
    sink.close()
    assert not path.exists()
    sink.write(failure("b"))
    sink.close()
    assert json.loads(path.read_text("utf-8"))["reason"] == "no sound in it"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), "null"),
        (float("-inf"), "null"),
        (np.float32(0.5), "0.5"),
        (np.float64("nan"), "null"),
        (np.int64(3), "3"),
        (np.array([[1, 2]]), "[[1, 2]]"),
        (datetime(2026, 1, 2, 3, 4, tzinfo=timezone.utc), '"2026-01-02T03:04:00+00:00"'),
        (date(2026, 1, 2), '"2026-01-02"'),
        (b"\x00\xff", '"AP8="'),
        (Decimal("1.50"), '"1.50"'),
        ((1, None, True), "[1, null, true]"),
        ({3: {"a": [float("inf")]}}, '{"3": {"a": [null]}}'),
        ("é\n", '"é\\n"'),
    ],
)
def test_values_that_json_does_not_have(value, expected):
    assert json_text(value) == expected


def test_a_key_from_an_undecodable_file_name_stays_valid_json(tmp_path):
    path = tmp_path / "transcripts.jsonl"
    sink = JsonLinesSink(AppendedFile(path))
    sink.write(transcript("bad\udcff.mp3"))
    sink.close()
    assert json.loads(path.read_text("utf-8"))["id"] == "bad\\xff.mp3"


def lines_of(path, *columns):
    sink = JsonLinesSink(AppendedFile(path))
    for number, each in enumerate(columns):
        sink.write(transcript(f"{number}", columns=each))
    sink.close()
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2.5, None], [{"x": 1}, {"x": 2.5}, {"x": None}]),
        (["a", 5], [{"x": "a"}, {"x": "5"}]),
        ([[1, "a"], [2]], [{"x": '[1, "a"]'}, {"x": "[2]"}]),
        ([1, "a"], [{"x": 1}, {"x": None, "x_json": "a"}]),
        ([{"a": 1}, {"b": []}], [{"x": {"a": 1}}, {"x": {"b": []}}]),
        (
            [{"a": 1}, {"a": "b"}],
            [{"x": {"a": 1}}, {"x": None, "x_json": '{"a": "b"}'}],
        ),
        ([True, 1], [{"x": True}, {"x": None, "x_json": "1"}]),
        (["a\ud800", "\udcff"], [{"x": "a\ufffd"}, {"x": "\\xff"}]),
        ([1, 1 << 70], [{"x": 1}, {"x": None, "x_json": str(1 << 70)}]),
    ],
)
def test_a_column_holds_one_kind_of_value(tmp_path, values, expected):
    rows = lines_of(tmp_path / "t.jsonl", *({"x": value} for value in values))
    assert [{name: row[name] for name in row if name[0] == "x"} for row in rows] == expected


def test_a_continued_file_remembers_its_columns(tmp_path):
    path = tmp_path / "t.jsonl"
    sink = JsonLinesSink(AppendedFile(path))
    sink.write(transcript("a", columns={"x": 1}))
    state = json.loads(json.dumps(sink.publish()))
    again = JsonLinesSink(AppendedFile(path, state["bytes"]), state)
    again.write(transcript("b", columns={"x": "text"}))
    again.close()
    assert json.loads(path.read_text().splitlines()[1])["x_json"] == "text"
