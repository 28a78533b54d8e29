from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from quest22.sink.formats.arrow_table import (
    joined_schema,
    schema_from_text,
    schema_of,
    schema_to_text,
    table_of,
    widened,
)
from quest22.sink.rows import row
from tests.support.results import transcript


def rows(*values: Any) -> list[dict[str, Any]]:
    return [row(transcript(columns={} if value is ... else {"x": value})) for value in values]


WIDENED: list[tuple[list[Any], list[Any], pa.DataType]] = [
    ([1], [2], pa.int64()),
    ([1], [None], pa.int64()),
    ([1], [0.5], pa.float64()),
    ([0.5], [1], pa.float64()),
    ([1], ["a"], pa.string()),
    (["a"], [1], pa.string()),
    ([None], [1], pa.string()),
    ([...], [1], pa.int64()),
    ([1], [...], pa.int64()),
    ([[1]], [["a"]], pa.list_(pa.string())),
    ([[1]], [[0.5]], pa.list_(pa.float64())),
    ([[1]], [{"a": 1}], pa.string()),
    ([[{"a": 1}]], [["a"]], pa.string()),
    ([{"a": 1}], ["a"], pa.string()),
]


@pytest.mark.parametrize(("first", "later", "kind"), WIDENED)
def test_a_schema_widens_to_hold_later_rows(first, later, kind):
    schema = widened(schema_of(rows(*first)), rows(*later))
    assert schema.field("x").type == kind
    assert schema.names[-1] == "origin"
    assert [len(table_of(group, schema)) for group in (rows(*first), rows(*later))] == [1, 1]


def test_a_schema_that_holds_the_rows_stays():
    schema = schema_of(rows(1))
    assert widened(schema, rows(2, None)) == schema
    assert widened(schema_of([]), rows(1)) == schema


def test_numbers_that_a_fraction_cannot_hold_become_text():
    groups = (rows(2**60 + 1), rows(0.5))
    schema = schema_of([])
    for group in (*groups, *groups):
        schema = widened(schema, group)
    assert table_of(groups[0], schema)["x"].to_pylist() == [str(2**60 + 1)]


@pytest.mark.parametrize(
    ("mine", "theirs", "joined"),
    [
        ({"n": 1}, {}, "int64"),
        ({}, {"n": 1}, "int64"),
        ({"n": 1}, {"n": 0.5}, "double"),
        ({"n": 1}, {"n": "a"}, "string"),
        ({"n": [1]}, {"n": [0.5]}, "list<item: double>"),
    ],
)
def test_a_joined_schema_holds_what_both_do(mine, theirs, joined):
    schema = joined_schema(schema_of([mine]), schema_of([theirs]))
    assert str(schema.field("n").type) == joined
    assert schema.names[-1] == "origin"
    assert schema_from_text(schema_to_text(schema)) == schema
    assert joined_schema(schema, schema) == schema
