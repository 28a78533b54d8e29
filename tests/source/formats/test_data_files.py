from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest
from datasets import load_dataset_builder

from quest22.source.columns import Columns, Kind
from quest22.source.formats.data_files import (
    CsvFormat,
    Format,
    ParquetFormat,
    SequentialFormat,
    format_of,
)
from quest22.source.io.prefetch import Prefetcher
from quest22.source.io.retry import RetryingClient
from tests.support import corpora

LINES = "".join(json.dumps({"id": f"00{n}", "text": f"text {n}"}) + "\n" for n in range(4)).encode()


def chosen(name: str, path: Path, **config) -> Format | None:
    builder = load_dataset_builder(name, data_files=[str(path)], **config)
    return format_of(builder, [str(path)], RetryingClient())


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def texts(found: Format, path: Path) -> list[object]:
    with closing(found.open(str(path), Prefetcher(0, 0))) as file:
        file.prefetch(0)
        return [values["text"] for _, values in file.rows(0)]


def test_parquet_states_its_rows(tmp_path: Path) -> None:
    corpora.write_parquet(tmp_path / "a.parquet", corpora.samples(3))
    found = chosen("parquet", tmp_path / "a.parquet")
    assert isinstance(found, ParquetFormat)
    assert found.kinds()["text"] is Kind.TEXT
    found.project(Columns("audio", "text"))
    with closing(found.open(str(tmp_path / "a.parquet"), Prefetcher(0, 0))) as file:
        assert file.num_rows == 3


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [
        ("", bytes),
        (".gz", gzip.compress),
        (".bz2", bz2.compress),
        (".xz", lzma.compress),
        (".zst", lambda content: pa.compress(content, "zstd", asbytes=True)),
    ],
)
def test_compressed_lines_are_read(
    tmp_path: Path, suffix: str, compress: Callable[[bytes], bytes]
) -> None:
    path = write(tmp_path / f"a.jsonl{suffix}", compress(LINES))
    found = chosen("json", path)
    assert isinstance(found, SequentialFormat)
    assert found.kinds() == {"id": Kind.TEXT, "text": Kind.TEXT}
    assert texts(found, path) == [f"text {n}" for n in range(4)]


@pytest.mark.parametrize("indent", [None, 1])
def test_a_json_list_is_read_item_by_item(tmp_path: Path, indent: int | None) -> None:
    content = json.dumps([{"text": "a"}, {"text": "b"}], indent=indent).encode()
    found = chosen("json", write(tmp_path / "a.json", content))
    assert isinstance(found, SequentialFormat)
    assert texts(found, tmp_path / "a.json") == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "here"),
    [
        (json.dumps({"data": [{"text": "a"}]}, indent=1), False),
        ("", True),
        ('{"audio": "' + "A" * 3_000_000 + '"}\n', True),  # longer than what is looked at
        ("{broken\n" + '{"text": "a"}\n', True),
    ],
)
def test_other_json_documents_are_left_to_datasets(
    tmp_path: Path, content: str, here: bool
) -> None:
    path = write(tmp_path / "a.json", content.encode())
    assert (chosen("json", path) is not None) == here


def test_a_csv_keeps_ids_as_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", b"id,text\n007,1\n008,2\n")
    found = chosen("csv", path)
    assert isinstance(found, CsvFormat)
    found.project(Columns("audio", "text", "id"))
    with closing(found.open(str(path), Prefetcher(0, 0))) as file:
        assert [values["id"] for _, values in file.rows(0)] == ["007", "008"]


def test_a_csv_of_another_dialect_is_left_to_datasets(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", b"id;text\n1;a\n")
    assert isinstance(chosen("csv", path, sep=";"), CsvFormat)
    assert chosen("csv", path, quotechar="'") is None


@pytest.mark.parametrize("name", ["a.jsonl.lz4", "zip://a.jsonl::b.zip"])
def test_what_is_not_decompressed_here_is_left_to_datasets(tmp_path: Path, name: str) -> None:
    builder = load_dataset_builder("json", data_files=[str(write(tmp_path / "a.jsonl", LINES))])
    assert format_of(builder, [name], RetryingClient()) is None


def test_a_dataset_without_files_is_left_to_datasets(tmp_path: Path) -> None:
    builder = load_dataset_builder("json", data_files=[str(write(tmp_path / "a.jsonl", LINES))])
    assert format_of(builder, [], RetryingClient()) is None
