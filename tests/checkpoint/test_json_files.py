from __future__ import annotations

from pathlib import Path

import pytest

from quest22.checkpoint.json_files import read_bytes, read_object
from quest22.errors import CheckpointError

DAMAGED = [
    (b"", "not JSON"),
    (b"{", "not JSON"),
    (b"\xff\xfe{}", "not JSON"),
    (b"[" * 100_000, "not JSON"),
    (b"[]", "expected a JSON object, found list"),
    (b"3", "expected a JSON object, found int"),
]


@pytest.mark.parametrize(("content", "message"), DAMAGED)
def test_what_is_no_object_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        read_object(path)


def test_a_missing_file_names_its_folder(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"has no config\.json"):
        read_object(tmp_path / "config.json")


def test_a_folder_in_a_file_s_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_bytes(tmp_path)


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(b" " * 11)
    with pytest.raises(CheckpointError, match="larger than"):
        read_bytes(path, limit=10)
