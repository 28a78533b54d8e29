from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quest22.checkpoint.formats.mapped_bytes import ByteReader, MappedBytes
from quest22.errors import CheckpointError


def reader(content: bytes) -> ByteReader:
    return ByteReader(np.frombuffer(content, np.uint8), Path("model.bin"), "ggml file")


def test_values_follow_one_another() -> None:
    found = reader(b"\x01\x02\x00\x03\x00\x00\x00abc")
    assert found.numbers("bh") == (1, 2)
    assert found.number("i") == 3
    assert not found.is_at_end
    assert found.skip(1) == 7
    assert found.bytes(2) == b"bc"
    assert found.is_at_end


@pytest.mark.parametrize("count", [4, -1])
def test_nothing_beyond_the_end_is_read(count: int) -> None:
    with pytest.raises(CheckpointError, match=r"model.bin is not a whole ggml file \(it ends too"):
        reader(b"abc").skip(count)


def test_a_file_is_mapped(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(b"abc")
    mapped = MappedBytes(path)
    assert mapped.content.tobytes() == b"abc"
    mapped.release()
    assert mapped.content.tobytes() == b"abc"


@pytest.mark.parametrize("name", ["missing.bin", "empty.bin"])
def test_a_file_that_cannot_be_mapped_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty.bin").touch()
    with pytest.raises(CheckpointError, match=f"{name} cannot be read"):
        MappedBytes(tmp_path / name)


@pytest.mark.parametrize(
    ("begin", "end", "expected"), [(0, 9, b"013478"), (2, 4, b"232323"), (3, 3, b"")]
)
def test_a_sample_is_of_both_ends_and_the_middle(
    tmp_path: Path, begin: int, end: int, expected: bytes
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    sample = MappedBytes(path).sample(begin, end, 2)
    assert sample == expected
