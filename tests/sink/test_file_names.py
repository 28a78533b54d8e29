from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.sink import file_names
from quest22.sink.file_names import MAX_PART_BYTES, OutputNames, safe_stem


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("talk.mp3", "talk"),
        ("talk.tar.MP3", "talk.tar"),
        ("day 1/talk.wav", "day 1/talk"),
        ("speaker.anna", "speaker.anna"),
        ("1272-128104-0000", "1272-128104-0000"),
        (".wav", ".wav"),
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("a/./../b.ogg", "a/b"),
        ("..\\..\\b.ogg", "b"),
        ('a:b?c*"<d>|.mp3', "a_b_c___d__"),
        ("a\x00b\n.mp3", "a_b_"),
        ("bad\udcff.mp3", "bad_"),
        ("речь.m4a", "речь"),
        ("e\u0301.mp3", "é"),
        ("", "clip"),
        ("...", "clip"),
        ("/", "clip"),
        ("name. ", "name"),
        ("x" * 300 + ".mp3", "x" * MAX_PART_BYTES),
    ],
)
def test_safe_stem(name, expected):
    assert safe_stem(name) == expected


@given(st.text())
def test_a_name_never_leads_out_of_the_folder(name):
    stem = safe_stem(name)
    assert (Path("/out") / stem).resolve().is_relative_to("/out")
    assert (Path("/out") / stem).resolve() != Path("/out")
    assert all(0 < len(part.encode()) <= MAX_PART_BYTES for part in stem.split("/"))


@given(st.lists(st.sampled_from(["a.mp3", "A.wav", "a-2.ogg", "b/a.mp3", "a", "a-2-2", ""])))
def test_no_two_clips_share_a_name(names):
    given_names = OutputNames(Path("out"))
    stems = [str(given_names.stem(name)).casefold() for name in names]
    assert len(set(stems)) == len(stems)


def test_the_first_keeps_its_name_and_others_are_counted():
    names = OutputNames(Path("out"))
    stems = [names.stem(name).as_posix() for name in ("a.mp3", "a.wav", "b.mp3", "A.ogg")]
    assert stems == ["out/a", "out/a-2", "out/b", "out/A-3"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("talk.mp3", "talk"),
        ("con.mp3", "_con"),
        ("NUL", "_NUL"),
        ("aux.txt.wav", "_aux.txt"),
        ("com1/lpt9 .wav", "_com1/_lpt9"),
        ("console.wav", "console"),
        ("a ..mp3", "a"),
        ("C:\\talks\\a.mp3", "C_/talks/a"),
    ],
)
def test_windows_gets_no_name_that_it_reserves(monkeypatch, name, expected):
    monkeypatch.setattr(file_names, "WINDOWS", True)
    assert safe_stem(name) == expected


def test_names_are_what_they_were_elsewhere():
    assert safe_stem("nul.mp3") == "nul"
    assert safe_stem("a ..mp3") == "a "
