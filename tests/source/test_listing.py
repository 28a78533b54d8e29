from __future__ import annotations

from pathlib import Path

import pytest

from quest22.source import listing
from quest22.source.listing import MediaFile, find_media, is_media, natural_sort_key


@pytest.mark.parametrize(
    ("name", "media"),
    [("a.wav", True), ("a.MP4", True), ("C:\\d\\a.flac", True), ("a.txt", False), ("wav", False)],
)
def test_media_are_known_by_their_suffix(name: str, media: bool) -> None:
    assert is_media(name) is media


def test_numbers_in_names_sort_as_numbers() -> None:
    names = ["10.wav", "2.wav", "b2.wav", "b10.wav", "1a.wav"]
    assert sorted(names, key=natural_sort_key) == ["1a.wav", "2.wav", "10.wav", "b2.wav", "b10.wav"]


@pytest.mark.parametrize(
    ("pattern", "windows", "folder"),
    [
        ("a/b/*.wav", False, "a/b"),
        ("*.wav", False, ""),
        ("a/**/x.wav", False, "a"),
        (r"a\b*.wav", False, ""),
        (r"C:\a\b\*.wav", True, "C:/a/b"),
        (r"C:\a/b\*\x.wav", True, "C:/a/b"),
        (r"s3://b/a\c/*.wav", True, r"s3://b/a\c"),
    ],
)
def test_the_folder_before_a_wildcard(
    monkeypatch: pytest.MonkeyPatch, pattern: str, windows: bool, folder: str
) -> None:
    monkeypatch.setattr(listing, "WINDOWS", windows)
    assert listing._folder_before_wildcards(pattern) == folder


def test_names_are_relative_to_what_was_given(tmp_path: Path) -> None:
    (tmp_path / "d" / "e").mkdir(parents=True)
    for name in ("d/10.wav", "d/2.wav", "d/e/1.mp3", "d/.hidden.wav", "d/notes.txt"):
        (tmp_path / name).touch()
    assert [file.name for file in find_media(str(tmp_path / "d"))] == ["2.wav", "10.wav", "e/1.mp3"]
    found = find_media(str(tmp_path / "*" / "*.wav"))
    assert [file.name for file in found] == ["d/2.wav", "d/10.wav"]


def test_a_name_that_is_taken_becomes_the_whole_path() -> None:
    assert MediaFile("x", "/a/./b/../c.wav", "c.wav").with_full_path_as_name().name == "a/b/c.wav"
    file = MediaFile("x", "https://h/a/b.wav?x=1", "b.wav")
    assert file.with_full_path_as_name().name == "a/b.wav"


def test_what_is_not_there_says_so(tmp_path: Path) -> None:
    (file,) = find_media(str(tmp_path / "none.wav"))
    assert file.missing == f"no such file or folder: {tmp_path / 'none.wav'}"
    (file,) = find_media(str(tmp_path))
    assert file.missing == f"no audio or video files found: {tmp_path}"
