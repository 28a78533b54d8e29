from __future__ import annotations

import json

import pytest

from quest22.errors import SinkError, UsageError
from quest22.settings import OutputSettings
from quest22.sink.build import Sinks, open_sinks
from tests.support.results import failure, transcript


def test_jsonl_on_standard_output(capsys):
    sink = open_sinks(OutputSettings(("jsonl",)))
    sink.write(transcript("a"))
    sink.write(failure("b"))
    sink.close()
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["id"] == "a"


def test_several_formats_in_one_folder(tmp_path):
    sink = open_sinks(OutputSettings(("jsonl", "parquet", "srt"), tmp_path / "out"))
    sink.write(transcript("a.mp3"))
    sink.write(failure("b.mp3"))
    sink.close()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "a.srt",
        "failures.jsonl",
        "transcripts.jsonl",
        "transcripts.parquet",
    ]


def test_an_earlier_run_is_not_lost_by_mistake(tmp_path):
    (tmp_path / "transcripts.jsonl").write_text("{}\n")
    with pytest.raises(UsageError, match="--restart"):
        open_sinks(OutputSettings(("jsonl",), tmp_path))
    assert (tmp_path / "transcripts.jsonl").read_text() == "{}\n"
    sink = open_sinks(OutputSettings(("jsonl",), tmp_path, overwrite=True))
    sink.write(transcript("a"))
    sink.close()
    assert json.loads((tmp_path / "transcripts.jsonl").read_text())["id"] == "a"


def test_failures_of_an_earlier_run_do_not_stay(tmp_path):
    (tmp_path / "failures.jsonl").write_text("{}\n")
    open_sinks(OutputSettings(("srt",), tmp_path)).close()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match="cannot write"):
        open_sinks(OutputSettings(("jsonl",), tmp_path / "file" / "out"))


class _Broken:
    closed = False

    def write(self, result):
        raise NotImplementedError

    def publish(self):
        raise NotImplementedError

    def close(self):
        self.closed = True
        raise SinkError("disk is full")


def test_every_sink_is_closed_though_one_fails():
    sinks = {"one": _Broken(), "two": _Broken()}
    with pytest.raises(SinkError, match="disk is full"):
        Sinks(sinks).close()
    assert all(sink.closed for sink in sinks.values())


class _Recorded:
    """Notes what is called, under its name."""

    def __init__(self, name, calls):
        self.name, self.calls = name, calls

    def write(self, result):
        self.calls.append(("write", self.name))

    def publish(self):
        return {"of": self.name}

    def close(self):
        self.calls.append(("close", self.name))


def test_a_sink_that_is_added_comes_last():
    calls = []
    sinks = Sinks({"one": _Recorded("one", calls)}).with_sink("hub", _Recorded("hub", calls))
    sinks.write(None)
    assert sinks.publish() == {"one": {"of": "one"}, "hub": {"of": "hub"}}
    sinks.close()
    assert calls == [("write", "one"), ("write", "hub"), ("close", "one"), ("close", "hub")]
