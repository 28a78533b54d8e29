from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save, save_file

from quest22.checkpoint.formats.safetensors import SafetensorsFile
from quest22.errors import CheckpointError

ENTRY: dict[str, Any] = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}


def packed(header: object, body: bytes = bytes(16)) -> bytes:
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(encoded).to_bytes(8, "little") + encoded + body


def test_files_of_the_library_are_read(tmp_path: Path) -> None:
    tensors = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.linspace(-1, 1, 7).astype(np.float16),
        "c": np.array([[1, -2], [3, 4]], dtype=np.int64),
        "scalar": np.array(1.5, dtype=np.float64),
        "empty": np.zeros((0, 3), dtype=np.float32),
    }
    save_file(tensors, tmp_path / "x.safetensors", metadata={"format": "np"})
    file = SafetensorsFile(tmp_path / "x.safetensors")
    assert file.entries.keys() == tensors.keys()
    for name, expected in tensors.items():
        found = file.raw(name)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


def test_tensors_are_read_only_views(tmp_path: Path) -> None:
    save_file({"a": np.ones(3, dtype=np.float32)}, tmp_path / "x.safetensors")
    file = SafetensorsFile(tmp_path / "x.safetensors")
    assert np.shares_memory(file.raw("a"), file.raw("a"))
    with pytest.raises(ValueError, match="read-only"):
        file.raw("a")[0] = 2


DAMAGED: list[tuple[bytes, str]] = [
    (b"", "cannot be read"),
    (b"PK\x03\x04", "it holds 4 bytes"),
    (b"\xff" * 64, "its header claims"),
    (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer, .* git lfs pull"),
    ((1 << 30).to_bytes(8, "little") + b"{}", "its header claims 1073741824 bytes"),
    (packed(b"{nonsense"), "its header is not JSON"),
    (packed(b"[" * 5000), "its header is not JSON"),
    (packed([1]), "its header is not a table"),
    (packed({"w": [1]}), "the entry of 'w' is incomplete"),
    (packed({"w": {"dtype": "F32", "shape": [2]}}), "the entry of 'w' is incomplete"),
    (packed({"w": ENTRY | {"data_offsets": [0]}}), "incomplete"),
    (packed({"w": ENTRY | {"data_offsets": ["x", 16]}}), "incomplete"),
    (packed({"w": ENTRY | {"dtype": "Q4_K"}}), "has the type 'Q4_K', which is not supported"),
    (packed({"w": ENTRY}, bytes(15)), "lies outside the file"),
    (packed({"w": ENTRY | {"data_offsets": [-16, 0]}}), "lies outside the file"),
    (packed({"w": ENTRY | {"data_offsets": [16, 0]}}), "lies outside the file"),
    (packed({"w": ENTRY | {"shape": [2, 3]}}), "does not fill its shape"),
    (packed({"w": ENTRY | {"shape": [-2, -2]}}), "does not fill its shape"),
    (packed({"w": ENTRY | {"shape": [1] * 40 + [4]}}), "does not fill its shape"),
]


@pytest.mark.parametrize(("content", "message"), DAMAGED)
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        SafetensorsFile(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        SafetensorsFile(tmp_path / "model.safetensors")


SOUND = save({"a": np.ones((2, 3), dtype=np.float32), "b": np.ones(5, dtype=np.float16)})


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, len(SOUND) - 1), byte=st.integers(0, 255), cut=st.integers(0, 40))
def test_no_damage_reads_beyond_the_file(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int, cut: int
) -> None:
    content = bytearray(SOUND)
    content[at] = byte
    path = tmp_path_factory.mktemp("damage") / "model.safetensors"
    path.write_bytes(content[: len(content) - cut])
    try:
        file = SafetensorsFile(path)
    except CheckpointError:
        return
    for name, entry in file.entries.items():
        assert file.raw(name).nbytes == entry.end - entry.begin <= path.stat().st_size
