from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.source.formats import json_list
from quest22.source.formats.json_list import begins_list, json_list_rows
from quest22.source.rows import OpenEnd, RowError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


class _Slow(io.BytesIO):
    """Gives a few bytes at a time."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(3)


def rows_of(content: bytes, start: int = 0) -> list[Any]:
    return list(json_list_rows(io.BytesIO(content), "a.json", start))


@given(
    st.lists(st.dictionaries(st.text(), VALUES, max_size=3), max_size=4),
    st.sampled_from([None, 1]),
    st.booleans(),
)
def test_items_come_back(rows: list[dict[str, Any]], indent: int | None, ascii_only: bool) -> None:
    content = json.dumps(rows, indent=indent, ensure_ascii=ascii_only).encode()
    assert rows_of(content) == list(enumerate(rows))
    assert list(json_list_rows(_Slow(content), "a.json")) == list(enumerate(rows))
    assert rows_of(content, 2) == list(enumerate(rows))[2:]


@pytest.mark.parametrize(
    ("content", "count", "reason"),
    [
        (b'[{"a": 1}, 7, {"a": 2}]', 3, "it is JSON but no object"),
        (b'[{"a": 1}, {x}, {"a": 2}]', 3, "Expecting"),
        (b'[{"a": 1}, , {"a": 2}]', 3, "Expecting"),
        (b'[{"a": 1}, [1, {"x": "]"}], {"a": 2}] and more', 3, "no object"),
        (b'[{"a": 1}, ' + b"[" * 100_000 + b"]" * 100_000 + b', {"a": 2}]', 3, "nested too deeply"),
    ],
)
def test_a_bad_item_costs_itself_alone(content: bytes, count: int, reason: str) -> None:
    (_, first), (_, bad), (_, last) = rows_of(content)
    assert (first, last) == ({"a": 1}, {"a": 2})
    assert isinstance(bad, RowError)
    assert reason in bad.reason
    assert bad.reason.startswith("a.json, item 2:")


def test_an_item_that_is_too_long_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_list, "MAX_LINE_BYTES", 1_000)
    content = json.dumps([{"a": 1}, {"a": "x" * 2_000}, {"a": 2}]).encode()
    (_, first), (_, bad), (_, last) = rows_of(content)
    assert (first, last) == ({"a": 1}, {"a": 2})
    assert isinstance(bad, RowError)
    assert "longer than" in bad.reason


@pytest.mark.parametrize("cut", [1, 5, 12, 20])
def test_a_list_that_breaks_off_has_an_open_end(cut: int) -> None:
    *_, (number, last) = rows_of(b'[{"a": 1}, {"a": "x]"}]'[:cut])
    assert isinstance(last, OpenEnd)
    assert number == (cut > 10)


@pytest.mark.parametrize(
    ("start", "is_list"),
    [(b"[", True), (b"\xef\xbb\xbf \n[{", True), (b"{", False), (b"", False), (b'"["', False)],
)
def test_what_begins_a_list(start: bytes, is_list: bool) -> None:
    assert begins_list(start) == is_list
