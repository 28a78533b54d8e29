"""No value of an audio column ends a run or hides: each row gives its clip or one Failure."""

from __future__ import annotations

import csv
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from quest22.audio.decode import MediaDecoder
from quest22.errors import ClipError
from quest22.metrics import Metrics
from quest22.records import Clip, Failure
from quest22.settings import AudioSettings, DatasetSettings
from quest22.source.dataset import DatasetSource
from tests.support import corpora, odd_cells
from tests.support.odd_cells import SOUND, OddCell

pytestmark = pytest.mark.skipif(os.name == "nt", reason="makes pipes and sockets")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "odd"
    folder.mkdir()
    odd_cells.odd_files(folder)
    return folder


def _results(path: Path, **settings: Any) -> list[Clip | Failure]:
    return list(DatasetSource(DatasetSettings(str(path), **settings), Metrics()))


def _check(cells: list[OddCell], results: list[Clip | Failure]) -> None:
    assert len(results) == len(cells)
    wrong = [
        (cell.name, getattr(result, "reason", ""))
        for cell, result in zip(cells, results, strict=True)
        if isinstance(result, Clip) != cell.heard
    ]
    assert not wrong
    for result in results:
        assert "\n" not in getattr(result, "reason", "")
        assert len(getattr(result, "reason", "")) < 1_000
        assert len(result.key) <= 1_000
        result.key.encode()  # valid Unicode
    assert len({result.key for result in results}) == len(results)


@pytest.mark.parametrize("first", [False, True])
def test_json_lines(folder: Path, first: bool) -> None:
    """``first``: odd values come before any sound, so that the columns must be guessed."""
    cells = sorted(odd_cells.json_cells(folder), key=lambda cell: cell.heard != (not first))
    lines = [json.dumps({"audio": cell.value, "text": cell.name}) for cell in cells]
    (folder / "odd.jsonl").write_text("\n".join(lines))
    results = _results(folder / "odd.jsonl")
    _check(cells, results)
    for result in results:
        if isinstance(result, Clip) and result.reference != "empty file":
            samples = np.concatenate(list(_decoded(result)))
            assert np.isfinite(samples).all()
            assert 0.05 < np.abs(samples).max() <= 1.1


def _decoded(clip: Clip) -> Iterator[Any]:
    yield from MediaDecoder(AudioSettings()).decode(clip).blocks


def test_an_empty_file_is_a_failure_of_decoding(folder: Path) -> None:
    (folder / "odd.jsonl").write_text('{"audio": "empty.wav"}\n')
    (clip,) = _results(folder / "odd.jsonl")
    assert isinstance(clip, Clip)
    with pytest.raises(ClipError):
        list(_decoded(clip))


def test_csv(folder: Path) -> None:
    cells = odd_cells.text_cells(folder)
    with (folder / "odd.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([["audio", "text"], *((cell.value, cell.name) for cell in cells)])
    _check(cells, _results(folder / "odd.csv"))


def test_parquet_of_text_and_of_bytes(folder: Path) -> None:
    cells = odd_cells.text_cells(folder)
    pq.write_table(pa.table({"audio": [cell.value for cell in cells]}), folder / "text.parquet")
    _check(cells, _results(folder / "text.parquet"))
    contents = [None, b"", b"x", SOUND]
    pq.write_table(pa.table({"audio": contents}), folder / "bytes.parquet")
    heard = [isinstance(result, Clip) for result in _results(folder / "bytes.parquet")]
    assert heard == [False, False, True, True]


@pytest.mark.parametrize("cell", odd_cells.array_cells(), ids=lambda cell: cell.name)
@pytest.mark.parametrize("rate_in", ["column", "record"])
def test_parquet_of_samples(tmp_path: Path, cell: OddCell, rate_in: str) -> None:
    samples = pa.array([cell.value, cell.value], pa.list_(pa.from_numpy_dtype(cell.value.dtype)))
    rates = pa.array([16_000, None])
    if rate_in == "column":
        table = pa.table({"audio": samples, "sampling_rate": rates, "text": ["a", "b"]})
    else:
        records = pa.StructArray.from_arrays([samples, rates], ["array", "sampling_rate"])
        table = pa.table({"audio": records, "text": ["a", "b"]})
    pq.write_table(table, tmp_path / "a.parquet")
    clip, failure = _results(tmp_path / "a.parquet")
    assert isinstance(clip, Clip)
    assert isinstance(failure, Failure)
    assert "without a sampling rate" in failure.reason
    heard = np.concatenate(list(_decoded(clip)))
    np.testing.assert_allclose(heard, np.sin(np.arange(1600) / 10), atol=0.02)


@pytest.mark.parametrize("kind", ["number", "bool", "list", "date"])
def test_parquet_of_no_sound_at_all(tmp_path: Path, kind: str) -> None:
    values = {
        "number": [1],
        "bool": [True],
        "list": [["a", "b"]],
        "date": [pa.scalar(0, pa.date32())],
    }
    pq.write_table(pa.table({"audio": values[kind], "text": ["x"]}), tmp_path / "a.parquet")
    (failure,) = _results(tmp_path / "a.parquet")
    assert isinstance(failure, Failure)
    assert "'audio'" in failure.reason


def test_tar(folder: Path) -> None:
    cells = [cell for cell in odd_cells.json_cells(folder) if cell.name != "empty file"]
    with tarfile.open(folder / "odd.tar", "w") as archive:
        for number, cell in enumerate(cells):
            content = json.dumps({"audio": cell.value, "text": cell.name}).encode()
            corpora.add_member(archive, f"{number:03d}.json", content)
    _check(cells, _results(folder / "odd.tar", audio_column="json.audio"))


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() == 0, reason="root may read everything")
def test_a_file_without_permission(folder: Path) -> None:
    (folder / "odd.jsonl").write_text('{"audio": "locked/a.wav"}\n{"audio": "a.wav"}\n')
    (folder / "locked").chmod(0)
    try:
        failure, clip = _results(folder / "odd.jsonl")
    finally:
        (folder / "locked").chmod(0o700)
    assert isinstance(failure, Failure)
    assert "access is denied" in failure.reason
    assert isinstance(clip, Clip)
