"""``quest22 export`` as people call it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from quest22.cli.app import app
from quest22.sink.files import AppendedFile
from quest22.sink.formats.jsonl import JsonLinesSink
from tests.support.results import transcript


@pytest.fixture
def folder(tmp_path):
    sink = JsonLinesSink(AppendedFile(tmp_path / "out" / "transcripts.jsonl"))
    for name in ("a", "b"):
        sink.write(transcript(name))
    sink.close()
    return tmp_path / "out"


def called(*arguments):
    return CliRunner().invoke(app, ["export", *map(str, arguments)], standalone_mode=False)


def test_captions_from_lines(folder, tmp_path):
    result = called(folder, "-f", "srt,vtt", "-o", tmp_path / "new")
    assert (result.exception, result.return_value) == (None, 0)
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        *("a.srt", "a.vtt", "b.srt", "b.vtt")
    }
    assert "2 clips from" in result.stderr
    assert "Hello there." in (tmp_path / "new" / "a.srt").read_text()


@pytest.mark.parametrize(("lines", "code"), [(["{broken"], 3), ([], 0)])
def test_what_cannot_be_read_decides_the_exit_code(folder, lines, code):
    path = folder / "transcripts.jsonl"
    path.write_text(path.read_text() + "".join(f"{line}\n" for line in lines))
    assert called(folder, "-f", "txt").return_value == code


def test_only_damage_is_a_failure(folder):
    (folder / "transcripts.jsonl").write_text("{}\n")
    result = called(folder, "-f", "txt")
    assert result.return_value == 1
    assert "row 1" in result.stderr


def test_rows_of_others_are_refused_by_row(folder):
    path = folder / "transcripts.jsonl"
    path.write_text(path.read_text() + json.dumps({"id": 1, "text": 2, "segments": 3}) + "\n")
    assert called(folder, "-f", "txt", "-q").return_value == 3


def test_an_unknown_format(folder):
    assert "unknown output format 'doc'" in str(called(folder, "-f", "doc").exception)
