from __future__ import annotations

import os
from pathlib import Path

import pytest

from quest22.source import listing
from quest22.source.listing import MediaFile, find_media, is_media, natural_sort_key
from tests.support import odd_cells


@pytest.mark.parametrize(
    ("name", "media"),
    [("a.wav", True), ("a.MP4", True), ("C:\\d\\a.flac", True), ("a.txt", False), ("wav", False)],
)
def test_media_are_known_by_their_suffix(name: str, media: bool) -> None:
    assert is_media(name) is media


@pytest.mark.parametrize("name", ["1²", "٣.wav", "9" * 5_000, "a\udce9", ""])
def test_odd_names_can_be_sorted(name: str) -> None:
    assert sorted([name, "a"], key=natural_sort_key)


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


@pytest.mark.skipif(os.name == "nt", reason="makes pipes and sockets")
@pytest.mark.parametrize("pattern", ["", "*", "**/*.wav"])
def test_odd_files_of_a_folder_are_named_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "odd"
    folder.mkdir()
    odd_cells.odd_files(folder)
    (folder / os.fsdecode(b"caf\xe9.wav")).write_bytes(b"RIFF")
    found = {file.name: file.missing for file in find_media(str(folder / pattern))}
    nested = "locked/a.wav" if pattern != "*" else ""
    readable = {"a.wav", "a b%.wav", "empty.wav", "caf\udce9.wav", nested} - {""}
    assert {name for name, missing in found.items() if missing is None} == readable
    odd = {name: missing for name, missing in found.items() if missing is not None}
    assert set(odd) == {"pipe.wav", "dangling.wav", "loop.wav", "zero.wav", "socket.wav"}
    assert "is a pipe" in str(odd["pipe.wav"])
    assert "link to a file that does not exist" in str(odd["dangling.wav"])
    assert "loop of links" in str(odd["loop.wav"])
    assert "is a device" in str(odd["zero.wav"])


@pytest.mark.skipif(os.name == "nt", reason="makes links")
def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "d" / "1.wav").touch()
    (tmp_path / "elsewhere" / "2.wav").touch()
    (tmp_path / "d" / "e" / "up").symlink_to(tmp_path / "d")
    (tmp_path / "d" / "there").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "d" / "again").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "d" / "e" / "up2").symlink_to(tmp_path / "d")
    for pattern in ("d", "d/**/*.wav", "d/**"):
        names = [file.name for file in find_media(str(tmp_path / pattern))]
        assert names == ["1.wav", "again/2.wav"]
    (found,) = find_media(str(tmp_path / "*" / "**" / "e*" / "**" / "[2-3].wav"))
    assert found.missing


def test_patterns_relative_to_this_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d" / ".hidden").mkdir(parents=True)
    for name in ("1.wav", "d/2.wav", "d/.hidden/3.wav"):
        (tmp_path / name).touch()
    for pattern in ("**/*.wav", "./**/*.wav", "**/[12].wav"):
        found = [(file.address, file.name) for file in find_media(pattern)]
        assert [(address.removeprefix("./"), name) for address, name in found] == [
            ("1.wav", "1.wav"),
            ("d/2.wav", "d/2.wav"),
        ]


@pytest.mark.parametrize(
    "argument", ["x" * 4_000, "x/" * 3_000, "a\0.wav", "~nobody-here/a.wav", "http://[::1/a.wav"]
)
def test_impossible_paths_say_so(argument: str) -> None:
    (file,) = find_media(argument)
    assert file.missing
    assert len(file.missing) < 400


def test_a_folder_that_cannot_be_listed_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "locked").mkdir()
    (tmp_path / "a.wav").touch()
    listdir = os.listdir

    def refuse(path: str) -> list[str]:
        if path.endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refuse)
    readable, locked = find_media(str(tmp_path))
    assert readable.missing is None
    assert locked.missing == (
        f"the folder cannot be read: Permission denied: {tmp_path / 'locked'}"
    )
