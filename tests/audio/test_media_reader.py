from __future__ import annotations

import io
from pathlib import Path

import pytest

from quest22.audio.media_reader import INVALID, MediaReader
from quest22.errors import ClipError


class Counted(io.BytesIO):
    """A file that counts how often it is moved."""

    moves = 0

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self.moves += 1
        return super().seek(offset, whence)


def test_positions_count_from_the_base() -> None:
    reader = MediaReader(io.BytesIO(b"0123456789"))
    reader.base = 4
    assert reader.seek(0) == 0
    assert (reader.read(2), reader.tell()) == (b"45", 2)
    assert reader.seek(-1, 2) == 5
    assert (reader.read(9), reader.size()) == (b"9", 6)


def test_a_place_before_the_start_is_told_to_ffmpeg_and_no_error() -> None:
    reader = MediaReader(io.BytesIO(b"0123"))
    reader.base = 2
    assert reader.seek(-1) == INVALID < 0
    assert reader.read(1) == b"0"
    reader.check()


@pytest.mark.parametrize("offset", [2**62, 2**63 - 1])
def test_a_place_beyond_all_files_is_told_to_ffmpeg_and_no_error(
    offset: int, tmp_path: Path
) -> None:
    path = tmp_path / "a.caf"
    path.write_bytes(b"0123")
    with path.open("rb") as file:
        reader = MediaReader(file)
        reader.base = 1
        assert reader.seek(offset) < 0 or reader.read(1) == b""
        assert reader.seek(-9, 2) == INVALID
        reader.seek(0)
        assert reader.read(1) == b"1"
        reader.check()


def test_the_size_is_asked_for_once_and_nothing_is_moved() -> None:
    file = Counted(b"0123456789")
    reader = MediaReader(file)
    reader.read(3)
    assert (reader.size(), reader.tell()) == (10, 3)
    moves = file.moves
    assert (reader.size(), file.moves) == (10, moves)


class Broken(io.BytesIO):
    """A file that cannot be moved."""

    def seek(self, _offset: int, _whence: int = 0, /) -> int:
        raise OSError(5, "the disk is\nbroken")


def test_an_error_is_remembered_in_one_line() -> None:
    reader = MediaReader(Broken(b"0123"))
    with pytest.raises(OSError, match="broken"):
        reader.seek(1)
    with pytest.raises(ClipError, match="reading the file failed: the disk is broken") as caught:
        reader.check()
    assert caught.value.stage == "source"


class _Broken(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        raise OSError("the upload has ended")

    def seek(self, offset: int, whence: int = 0) -> int:
        raise OSError("the upload has ended")


def test_an_error_is_raised_once_and_then_the_file_is_at_its_end() -> None:
    reader = MediaReader(_Broken())
    with pytest.raises(OSError, match="the upload has ended"):
        reader.read(10)
    assert (reader.read(10), reader.seek(0), reader.seek(0, 2)) == (b"", INVALID, INVALID)
    with pytest.raises(ClipError, match="the upload has ended"):
        reader.check()
