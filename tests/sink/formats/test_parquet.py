from __future__ import annotations

from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from quest22.records import Segment, Word
from quest22.sink.formats import parquet
from quest22.sink.formats.parquet import ParquetSink
from quest22.sink.rows import OWN_COLUMNS, row
from tests.support.results import failure, transcript


def written(path, *results):
    sink = ParquetSink(path, path.with_suffix(".rows"))
    for result in results:
        sink.write(result)
    sink.close()
    return pq.read_table(path)


def test_rows_are_those_of_jsonl(tmp_path):
    words = (Word(0.0, 0.5, " a", 0.5),)
    first = transcript("a", reference="hello", segments=(Segment(0, 1, " a", words=words),))
    table = written(tmp_path / "t.parquet", first, failure(), transcript("b"))
    assert table.column_names == [
        "id", "text", "reference", "language", "language_probability", "duration", "confidence",
        "segments", "dropped", "damage", "origin",
    ]  # fmt: skip
    rows = table.to_pylist()
    assert rows[0] == _filled(row(first) | {"dropped": None, "damage": None, "confidence": None})
    assert rows[1]["reference"] is None
    assert rows[1]["segments"][0]["words"] is None


def _filled(values):
    """A row with all that its segments may tell."""
    unknown = {"language": None, "language_probability": None}
    return values | {"segments": [unknown | segment for segment in values["segments"]]}


def test_carried_columns_keep_their_types(tmp_path):
    columns = {
        "speaker": 3,
        "share": 0.5,
        "born": date(2001, 2, 3),
        "tags": ["x", "y"],
        "place": {"lat": 1.5},
        "text": "ref",
        "none": None,
        "photo": b"\x00",
    }
    table = written(tmp_path / "t.parquet", transcript(columns=columns))
    carried = [field for field in table.schema if field.name not in OWN_COLUMNS]
    assert {field.name: str(field.type) for field in carried} == {
        "speaker": "int64",
        "share": "double",
        "born": "date32[day]",
        "tags": "list<element: string>",
        "place": "struct<lat: double>",
        "source_text": "string",
        "none": "string",
        "photo": "binary",
    }
    assert table.to_pylist()[0]["tags"] == ["x", "y"]


def test_no_transcripts_make_an_empty_table(tmp_path):
    table = written(tmp_path / "t.parquet")
    assert table.num_rows == 0
    assert "segments" in table.column_names


def test_rows_leave_memory_in_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "GROUP_ROWS", 10)
    written(tmp_path / "t.parquet", *(transcript(str(index)) for index in range(25)))
    file = pq.ParquetFile(tmp_path / "t.parquet")
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [10, 10, 5]


def test_large_values_make_a_group_sooner(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "GROUP_BYTES", 10_000)
    big = [transcript(str(index), columns={"note": "x" * 6000}) for index in range(4)]
    written(tmp_path / "t.parquet", *big)
    assert pq.ParquetFile(tmp_path / "t.parquet").num_row_groups == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [({"n": 1}, {"n": "one"}), ({"n": 1}, {"n": 1.5}), ({"n": 1}, {"n": 1, "m": 2})],
)
def test_a_value_that_does_not_fit_starts_the_next_file(tmp_path, monkeypatch, first, second):
    monkeypatch.setattr(parquet, "GROUP_ROWS", 1)
    written(tmp_path / "t.parquet", transcript("a", columns=first), transcript("b", columns=second))
    tables = [pq.read_table(tmp_path / name).to_pylist() for name in ("t.parquet", "t-2.parquet")]
    assert [(rows[0]["id"], rows[0]["n"]) for rows in tables] == [
        ("a", first["n"]),
        ("b", second["n"]),
    ]


def test_mixed_types_in_one_group_become_text(tmp_path):
    table = written(
        tmp_path / "t.parquet",
        transcript("a", columns={"n": 1}),
        transcript("b", columns={"n": "one"}),
        transcript("c", columns={"n": 2**80}),
    )
    assert table.schema.field("n").type == pa.string()
    assert table.column("n").to_pylist() == ["1", "one", str(2**80)]


def test_the_name_appears_when_the_file_is_whole(tmp_path):
    sink = ParquetSink(tmp_path / "t.parquet", tmp_path / "rows.jsonl")
    sink.write(transcript())
    assert not (tmp_path / "t.parquet").exists()
    sink.close()
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]
