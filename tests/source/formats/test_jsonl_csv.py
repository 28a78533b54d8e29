from __future__ import annotations

import csv
import gzip
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.source.formats.jsonl_csv import csv_rows, json_rows, number_or_text
from quest22.source.rows import OpenEnd, RowError

CELLS = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=8).map(
    lambda cell: f"x{cell}"
)


def rows_of(content: bytes, start: int = 0) -> list[Any]:
    return list(json_rows(io.BytesIO(content), "a.jsonl", start))


@given(st.lists(st.dictionaries(CELLS, CELLS, max_size=3), max_size=6), st.integers(0, 7))
def test_json_lines_come_back_from_any_row_on(rows: list[dict[str, str]], start: int) -> None:
    content = "\n\n".join(json.dumps(row) for row in rows).encode()
    assert rows_of(content, start) == list(enumerate(rows))[start:]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "it is no JSON"),
        (b"[1]", "it is JSON but no object"),
        (b"[" * 100_000, "nested too deeply"),
        (b"\xff", "it is no JSON"),
    ],
)
def test_a_bad_line_costs_itself_alone(line: bytes, reason: str) -> None:
    (_, first), (_, bad), (_, last) = rows_of(b'{"a": 1}\n' + line + b'\n{"a": 2}\n')
    assert (first, last) == ({"a": 1}, {"a": 2})
    assert isinstance(bad, RowError)
    assert reason in bad.reason
    assert bad.reason.startswith("a.jsonl, line 2:")


def test_the_rest_of_a_damaged_archive_is_no_row() -> None:
    content = gzip.compress(b'{"a": 1}\n' * 20_000)
    file = gzip.GzipFile(fileobj=io.BytesIO(content[:-20]))
    rows = json_rows(file, "a.jsonl.gz")  # type: ignore[arg-type]
    with pytest.raises(EOFError):
        list(rows)


def test_a_file_that_breaks_off_in_a_line_has_an_open_end() -> None:
    *_, (number, last) = rows_of(b'{"a": 1}\n{"a": 2}\n{"a":')
    assert (number, type(last)) == (2, OpenEnd)
    *rows, (number, last) = csv_rows(io.BytesIO(b"id,text\n1,a\n2"), "a.csv", ",", ())
    assert (len(rows), number, type(last)) == (1, 1, OpenEnd)
    quoted = io.BytesIO(b'id,text\n1,"a\nb')
    ((number, last),) = csv_rows(quoted, "a.csv", ",", ())
    assert (number, type(last)) == (0, OpenEnd)


@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=6), st.integers(0, 7))
def test_csv_comes_back_from_any_row_on(rows: list[list[str]], start: int) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([["a", "b"], *rows])
    found = csv_rows(io.BytesIO(text.getvalue().encode()), "a.csv", ",", (), start)
    expected = [(n, dict(zip("ab", row, strict=True))) for n, row in enumerate(rows)]
    assert list(found) == expected[start:]


def test_a_quoted_cell_spans_lines_and_an_open_one_costs_its_line() -> None:
    content = b'id,text\n1,"a\nb"\n2,"open\n3,c\n'
    (_, first), (_, bad), (_, last) = csv_rows(io.BytesIO(content), "a.csv", ",", ("id",))
    assert (first, last) == ({"id": "1", "text": "a\nb"}, {"id": "3", "text": "c"})
    assert isinstance(bad, RowError)
    assert bad.reason.startswith("a.csv, line 4:")


@pytest.mark.parametrize(
    ("cell", "value"),
    [("7", 7), ("-7", -7), ("0.5", 0.5), ("007", "007"), ("1e400", "1e400"), ("", ""),
     ("1.5e400", "1.5e400"), ("nan", "nan"), (" 1", " 1"), ("1" * 30, "1" * 30)],
)  # fmt: skip
def test_plain_numbers(cell: str, value: Any) -> None:
    assert number_or_text(cell) == value
