from __future__ import annotations

import mmap
from pathlib import Path

import pytest

from quest22.system.mapped_file import map_file, release_pages


def test_a_file_is_mapped_whole_and_read_again_after_release(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc" * 5000)
    with map_file(path) as mapped:
        assert mapped[:] == path.read_bytes()
        release_pages(mapped)
        assert mapped[:3] == b"abc"


def test_where_pages_cannot_be_released_nothing_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    monkeypatch.delattr(mmap, "MADV_DONTNEED", raising=False)
    with map_file(path, mmap.ACCESS_COPY) as mapped:
        mapped[0:1] = b"x"
        release_pages(mapped)
        assert mapped[:] == b"xbc"
    assert path.read_bytes() == b"abc"
