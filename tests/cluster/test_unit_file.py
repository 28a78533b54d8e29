"""A unit's file has a row for each result, and counts of it do not depend on who counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from quest22.cluster.ledger import Counts
from quest22.cluster.unit_file import UnitFile, count_rows, read_rows
from quest22.records import Failure, Origin, Transcript

ORIGIN = Origin("corpus", None, "a.parquet", 3)


def transcript(key: str, **columns: object) -> Transcript:
    return Transcript(key, key, f"text of {key}", "en", 0.9, 1.2345, (), ORIGIN, columns=columns)


FAILED = Failure("b", "b", "audio", "no sound", ORIGIN)


@pytest.mark.parametrize("unit_format", ["jsonl", "parquet"])
def test_rows_and_failures_share_a_file_in_the_order_of_the_source(
    tmp_path: Path, unit_format: str
) -> None:
    file = UnitFile(tmp_path, unit_format)
    for result in (transcript("a", speaker="x", error="of the source"), FAILED, transcript("c")):
        file.add(result)
    counts = file.write()
    content = file.path.read_bytes()
    assert counts == count_rows(content, unit_format) == Counts(2, 1, 2.468)
    rows = list(read_rows(content, unit_format))
    assert [row["id"] for row in rows] == ["a", "b", "c"]
    assert [row.get("error") for row in rows] == [None, "audio: no sound", None]
    assert (rows[0]["speaker"], rows[0]["source_error"]) == ("x", "of the source")
    assert rows[1]["origin"]["row"] == 3


@pytest.mark.parametrize("unit_format", ["jsonl", "parquet"])
def test_a_unit_without_rows(tmp_path: Path, unit_format: str) -> None:
    file = UnitFile(tmp_path, unit_format)
    assert file.write() == Counts(0, 0, 0.0)
    assert count_rows(file.path.read_bytes(), unit_format) == Counts(0, 0, 0.0)


@pytest.mark.parametrize("values", [(1, "two"), (None, 3), ([1], {"a": 2})])
def test_columns_of_several_kinds_stay_in_one_parquet_file(
    tmp_path: Path, values: tuple[object, object]
) -> None:
    file = UnitFile(tmp_path, "parquet")
    for number, value in enumerate(values):
        file.add(transcript(f"{number}", mixed=value))
    assert file.write().transcripts == 2
    assert sorted(path.name for path in tmp_path.glob("*.parquet")) == ["unit.parquet"]
    assert len(list(read_rows(file.path.read_bytes(), "parquet"))) == 2
