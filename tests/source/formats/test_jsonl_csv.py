from __future__ import annotations

import csv
import gzip
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.source.formats import jsonl_csv
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
        (b'{"a": [' + b"[]," * 250_000 + b"0]}", "holds more than"),
        (b'{"a": [' + b"0," * 4_100_000 + b"0]}", "holds more than"),
        (b'{"a": ' + b"[" * 200 + b"]" * 200 + b"}", "nested too deeply"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "it is no JSON"),
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


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "names", [["id", "file", "text"], ["path", "a, b; c"], ["AUDIO", "Duration|s"], ["file", "x"]]
)
def test_the_header_tells_what_separates_cells(separator: str, names: list[str]) -> None:
    text = io.StringIO()
    rows = [[f"{name}-{number}, or; so" for name in names] for number in range(3)]
    csv.writer(text, delimiter=separator).writerows([names, *rows])
    found = csv_rows(io.BytesIO(text.getvalue().encode()), "a.csv", None, ())
    assert [values for _, values in found] == [dict(zip(names, row, strict=True)) for row in rows]


def test_one_column_needs_no_separator() -> None:
    (row,) = csv_rows(io.BytesIO(b"audio_filepath\na.wav\n"), "a.csv", None, ())
    assert row == (0, {"audio_filepath": "a.wav"})


def test_cells_may_be_long_and_in_any_encoding() -> None:
    long = "A" * 1_000_000
    content = f"id,audio\n1,{long}\n".encode() + "2,café.wav\n".encode("latin-1")
    (_, first), (_, second) = csv_rows(io.BytesIO(content), "a.csv", None, ("audio",))
    assert first == {"id": 1, "audio": long}
    assert second == {"id": 2, "audio": "caf\udce9.wav"}  # the name of a file in that encoding


def test_json_keeps_names_in_any_encoding() -> None:
    (_, first) = rows_of('{"audio": "café.wav"}\n'.encode("latin-1"))[0]
    assert first == {"audio": "caf\udce9.wav"}
    (_, second) = rows_of('\ufeff{"audio": "café.wav"}\n'.encode())[0]
    assert second == {"audio": "café.wav"}


@pytest.mark.parametrize("read", [json_rows, lambda file, name: csv_rows(file, name, None, ())])
def test_utf_16_says_so(read: Any) -> None:
    with pytest.raises(ValueError, match="UTF-16"):
        list(read(io.BytesIO('{"a": 1}\n'.encode("utf-16")), "a"))


def test_an_open_quote_costs_its_line_however_long_the_lines_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jsonl_csv, "MAX_LINE_BYTES", 1_000)
    content = b'id,text\n1,"open\n' + b"2," + b"a" * 600 + b"\n3," + b"b" * 600 + b"\n4,c\n"
    rows = [row for _, row in csv_rows(io.BytesIO(content), "a.csv", ",", ())]
    assert isinstance(rows[0], RowError)
    assert "line 2: it is longer than" in rows[0].reason
    assert [row["id"] for row in rows[1:]] == [2, 3, 4]  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("cell", "value"),
    [("7", 7), ("-7", -7), ("0.5", 0.5), ("007", "007"), ("1e400", "1e400"), ("", ""),
     ("1.5e400", "1.5e400"), ("nan", "nan"), (" 1", " 1"), ("1" * 30, "1" * 30)],
)  # fmt: skip
def test_plain_numbers(cell: str, value: Any) -> None:
    assert number_or_text(cell) == value
