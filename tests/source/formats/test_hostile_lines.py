"""Lines of JSON and CSV that unpack to far more than they are: bounded memory, one Failure each."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa
import pytest

from tests.support.corpora import wav_bytes
from tests.support.hostile_runs import WARM_UP_MIB, streamed
from tests.support.hostile_tars import MIB, write_zeros

LINE_MIB = 250
"""What a line at the limit takes: its bytes, its text and its longest value."""


def _json(path: Path, write: Callable[[BinaryIO], None]) -> Path:
    (path / "a.wav").write_bytes(wav_bytes())
    with _opened(path / "a.jsonl.gz") as file:
        file.write(b'{"id": "first", "audio": "a.wav"}\n')
        write(file)
        file.write(b'\n{"id": "last", "audio": "a.wav"}\n')
    return path / "a.jsonl.gz"


def _opened(path: Path) -> BinaryIO:
    return cast("BinaryIO", gzip.open(path, "wb", compresslevel=1))


def _repeated(before: bytes, piece: bytes, after: bytes, mib: int) -> Callable[[BinaryIO], None]:
    def write(file: BinaryIO) -> None:
        file.write(before)
        block = piece * (MIB // len(piece))
        for _ in range(mib):
            file.write(block)
        file.write(after)

    return write


@pytest.mark.slow
@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (_repeated(b'{"audio": [', b"[],", b"0]}", 60), "holds more than"),
        (_repeated(b'{"audio": [', b"0,", b"0]}", 60), "holds more than"),
        (_repeated(b'{"audio": {', b'"":{},', b'"a": 0}}', 60), "holds more than"),
        (_repeated(b'{"audio": ', b"[", b"", 60), "holds more than"),
        (_repeated(b'{"audio": "', b"a ", b'"}', 60), "the name is too long"),
        (_repeated(b'{"audio": ', b"9", b"}", 60), "it is no JSON"),
        (_repeated(b'{"audio": "', b"a", b'"}', 500), "longer than 64 MiB"),
        (_repeated(b"", b"\0", b"", 1_000), "longer than 64 MiB"),
    ],
)
def test_json(tmp_path: Path, write: Callable[[BinaryIO], None], reason: str) -> None:
    result = streamed(_json(tmp_path, write))
    assert result.heard == ["first", "last"]
    (found,) = result.reasons
    assert reason in found
    assert result.grown_mib < WARM_UP_MIB + LINE_MIB


@pytest.mark.slow
@pytest.mark.parametrize("quotes", [1, 2])
def test_csv_with_an_open_quote(tmp_path: Path, quotes: int) -> None:
    (tmp_path / "a.wav").write_bytes(wav_bytes())
    with _opened(tmp_path / "a.csv.gz") as file:
        file.write(b"id,audio\nfirst,a.wav\n")
        for number in range(40):
            file.write(b'%d,"' % number if number < quotes else b"%d," % number)
            write_zeros(file, 10 * MIB, b"!")
            file.write(b"\n")
        file.write(b"last,a.wav\n")
    result = streamed(tmp_path / "a.csv.gz")
    assert result.heard == ["first", "last"]
    assert len(result.reasons) in (39, 40)  # two quotes close each other: one record of two lines
    assert result.grown_mib < WARM_UP_MIB + LINE_MIB


@pytest.mark.slow
def test_a_bomb_of_zstandard(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav_bytes())
    row = json.dumps({"id": "first", "audio": "a.wav"}).encode() + b"\n"
    zeros = pa.compress(bytes(1 << 30), "zstd", asbytes=True)
    packed = [pa.compress(row, "zstd", asbytes=True), *[zeros] * 3]
    (tmp_path / "a.jsonl.zst").write_bytes(b"".join(packed))
    result = streamed(tmp_path / "a.jsonl.zst")
    assert result.heard == ["first"]
    (reason,) = result.reasons
    assert "longer than 64 MiB" in reason
    assert result.grown_mib < WARM_UP_MIB + LINE_MIB
