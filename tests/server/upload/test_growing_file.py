"""A file that is read while it grows."""

from __future__ import annotations

import asyncio
import io
import threading

import pytest

from quest22.server.upload.growing_file import MEMORY_BYTES, GrowingFile
from quest22.server.upload.temporary_space import TemporarySpace


def test_what_has_come_is_read_from_any_place() -> None:
    file = GrowingFile(TemporarySpace())
    file.write(b"one two")
    file.write(b" three")
    file.finish()
    view = file.open()
    assert view.seek(-5, io.SEEK_END) == 8
    assert view.read() == b"three"
    assert view.seek(4) == 4
    assert view.read(3) == b"two"
    assert view.tell() == 7
    assert view.seek(100) == 100
    assert view.read(1) == b""
    file.close()


def test_readers_have_places_of_their_own() -> None:
    file = GrowingFile(TemporarySpace())
    file.write(b"abcd")
    file.finish()
    one, two = file.open(), file.open()
    assert (one.read(2), two.read(3), one.read(2)) == (b"ab", b"abc", b"cd")
    file.close()


def test_a_place_before_the_beginning() -> None:
    file = GrowingFile(TemporarySpace())
    file.finish()
    with pytest.raises(ValueError, match="negative position"):
        file.open().seek(-1, io.SEEK_END)
    file.close()


def test_reading_waits_for_what_is_missing() -> None:
    file = GrowingFile(TemporarySpace())
    file.write(b"ab")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(file.open().read(4)))
    reader.start()
    file.write(b"c")
    assert reader.is_alive()
    file.write(b"de")
    reader.join()
    assert read == [b"abcd"]
    file.close()


def test_the_end_is_believed_until_it_has_come() -> None:
    file = GrowingFile(TemporarySpace(), expected_bytes=10)
    view = file.open()
    assert view.seek(0, io.SEEK_END) == 10
    assert not view.seekable()
    file.write(b"12345678")
    file.finish()
    assert view.seekable()
    assert view.seek(0, io.SEEK_END) == 8
    file.close()


def test_without_a_word_the_end_is_waited_for() -> None:
    file = GrowingFile(TemporarySpace())
    ends: list[int] = []
    reader = threading.Thread(target=lambda: ends.append(file.open().seek(0, io.SEEK_END)))
    reader.start()
    file.write(b"123")
    file.finish()
    reader.join()
    assert ends == [3]
    file.close()


def test_closing_wakes_who_waits() -> None:
    file = GrowingFile(TemporarySpace())
    errors: list[OSError] = []

    def read() -> None:
        try:
            file.open().read(1)
        except OSError as exc:
            errors.append(exc)

    reader = threading.Thread(target=read)
    reader.start()
    file.close()
    file.close()
    reader.join()
    assert "ended" in str(errors[0])


def test_large_recordings_lie_on_the_disk() -> None:
    file = GrowingFile(TemporarySpace())
    data = bytes(range(256)) * (MEMORY_BYTES // 256)

    async def add() -> None:
        for _ in range(3):
            await file.add(data)

    asyncio.run(add())
    file.finish()
    assert file.size == 3 * len(data)
    assert file.open().read() == 3 * data
    assert file._bytes._rolled
    file.close()
