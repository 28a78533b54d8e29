from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from quest22.errors import SinkError, UsageError
from quest22.settings import CaptionSettings
from quest22.sink import files
from quest22.sink.live_files import LiveFiles, LiveOutput, numbered, parse_live_outputs, suffixed
from tests.support.live_events import final

PLAIN = CaptionSettings()


@pytest.mark.parametrize(
    ("named", "paths"),
    [
        (["talk.srt"], ["talk.srt"]),
        (["talk.srt,jsonl,vtt"], ["talk.srt", "talk.jsonl", "talk.vtt"]),
        (["a/talk.srt, .vtt"], ["a/talk.srt", "a/talk.vtt"]),
        (["a.srt,b.vtt,txt"], ["a.srt", "b.vtt", "b.txt"]),
        (["a.srt", "b.jsonl", "a.srt"], ["a.srt", "b.jsonl"]),
        (["talk.2026.srt,text"], ["talk.2026.srt", "talk.2026.txt"]),
    ],
)
def test_files_by_name(named: list[str], paths: list[str]) -> None:
    found = parse_live_outputs(named)
    assert [output.path.as_posix() for output in found] == paths
    assert all(output.path.suffix == f".{output.format}" for output in found)


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("talk", "output 'talk' has no suffix that names its format: expected a file such as"),
        (".srt", "output '.srt' has no suffix"),
        ("talk.json", "unknown live format 'json'"),
        ("talk.srt,mp3", "unknown live format 'mp3'"),
    ],
)
def test_files_without_a_format(named: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_live_outputs([named])


def test_files_are_there_from_the_beginning_and_grow_at_once(tmp_path: Path) -> None:
    outputs = parse_live_outputs([str(tmp_path / "sub" / "talk.srt,vtt,jsonl")])
    written = LiveFiles(outputs, PLAIN)
    assert [each.path.read_text() for each in outputs] == ["", "WEBVTT\n\n", ""]
    written.add(final(0, "Good morning.", 1.0))
    assert outputs[0].path.read_text() == "1\n00:00:01,000 --> 00:00:02,000\nGood morning.\n\n"
    assert outputs[1].path.read_text().endswith("00:01.000 --> 00:02.000\nGood morning.\n\n")
    written.close()


def test_nothing_is_replaced_unless_told(tmp_path: Path) -> None:
    outputs = parse_live_outputs([str(tmp_path / "talk.vtt,srt")])
    outputs[1].path.write_text("mine")
    with pytest.raises(UsageError, match=r"talk\.srt exists: .*or replace it with --overwrite"):
        LiveFiles(outputs, PLAIN)
    assert not outputs[0].path.exists()
    LiveFiles(outputs, PLAIN, overwrite=True).close()
    assert outputs[1].path.read_text() == ""


def test_a_folder_that_cannot_be_made_is_told_before_anybody_speaks(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match=r"cannot write .*talk\.srt: (File exists|Not a directory)"):
        LiveFiles(parse_live_outputs([str(tmp_path / "file" / "talk.srt")]), PLAIN)


def test_what_a_full_disk_refused_comes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    outputs = parse_live_outputs([str(tmp_path / "talk.txt")])
    written = LiveFiles(outputs, PLAIN)
    append = files.AppendedFile._append

    def full(file: Any, line: bytes) -> None:
        file.write(line[:3])
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(files.AppendedFile, "_append", staticmethod(full))
    written.add(final(0, "One."))
    written.add(final(1, "Two."))
    assert outputs[0].path.read_text() == ""
    with pytest.raises(SinkError, match=r"talk\.txt lacks its last captions: No space left"):
        written.close()
    monkeypatch.setattr(files.AppendedFile, "_append", staticmethod(append))
    written.add(final(2, "Three."))
    assert outputs[0].path.read_text() == "One.\nTwo.\nThree.\n"
    said = [record.getMessage() for record in caplog.records]
    assert "No space left on device; captions go on, and each segment tries again" in said[0]
    assert said[1:] == [f"{outputs[0].path} has all that it missed"]
    written.close()


def test_files_of_several_sessions(tmp_path: Path) -> None:
    outputs = parse_live_outputs([str(tmp_path / "talk.srt,txt")])
    (tmp_path / "talk-2.txt").write_text("")

    def names(found: list[LiveOutput]) -> list[str]:
        return [each.path.name for each in found]

    assert names(numbered(outputs, 1, taken=True)) == ["talk.srt", "talk.txt"]
    assert names(numbered(outputs, 2, taken=True)) == ["talk-3.srt", "talk-3.txt"]
    assert names(numbered(outputs, 2, taken=False)) == ["talk-2.srt", "talk-2.txt"]
    assert names(suffixed(outputs, "[LEFT]")) == ["talk-left.srt", "talk-left.txt"]
    assert names(suffixed(outputs, "[CHANNEL 2]")) == ["talk-channel-2.srt", "talk-channel-2.txt"]
