from __future__ import annotations

import os
from pathlib import Path

import pytest

from quest22.system import atomic_files


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_is_replaced_whole(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(b"old")
    atomic_files.write_atomically(path, b"new", durable=durable)
    assert path.read_bytes() == b"new"
    assert [each.name for each in tmp_path.iterdir()] == ["file.json"]


@pytest.mark.parametrize("name", ["x" * 255, "я" * 127])
def test_the_longest_name_has_room_for_its_partial_twin(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    atomic_files.write_atomically(path, b"whole")
    assert path.read_bytes() == b"whole"


def test_what_fails_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        atomic_files.write_atomically(path, b"new", durable=True)
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_finished_file_gets_its_name(tmp_path: Path) -> None:
    partial, path = tmp_path / "file.partial", tmp_path / "file"
    partial.write_bytes(b"new")
    path.write_bytes(b"old")
    atomic_files.publish_file(partial, path)
    assert path.read_bytes() == b"new"
    assert not partial.exists()


def test_without_folder_handles_names_need_no_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "O_DIRECTORY")
    atomic_files.sync_folder(tmp_path / "not there")
    atomic_files.write_atomically(tmp_path / "file", b"x", durable=True)
