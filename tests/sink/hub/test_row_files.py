from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quest22.sink.hub import row_files as rowfiles
from quest22.sink.hub.row_files import RowFiles


@pytest.fixture(autouse=True)
def small_files(monkeypatch):
    monkeypatch.setattr(rowfiles, "FILE_ROWS", 3)


@contextmanager
def opened(folder, state=None) -> Iterator[RowFiles]:
    rows = RowFiles(folder, state)
    try:
        yield rows
    finally:
        rows.close()


def append(rows: RowFiles, numbers) -> None:
    for number in numbers:
        rows.append({"number": number})


def contents(rows: RowFiles, done: int = 0) -> list[list[int]]:
    return [[row["number"] for row in rows.read(file)] for file in rows.pending(done)]


def test_files_are_cut_by_rows(tmp_path):
    with opened(tmp_path) as rows:
        append(rows, range(7))
        assert contents(rows) == [[0, 1, 2], [3, 4, 5], [6]]
        assert [file.full for file in rows.pending(0)] == [True, True, False]
        assert rows.count_full(1) == 1


def test_files_are_cut_by_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(rowfiles, "FILE_BYTES", 150)
    with opened(tmp_path) as rows:
        append(rows, range(3))
        assert [file.rows for file in rows.pending(0)] == [2, 1]


def test_rows_after_the_mark_are_forgotten(tmp_path):
    with opened(tmp_path) as rows:
        append(rows, range(4))
        state = rows.publish(0)
        append(rows, range(90, 99))
    with opened(tmp_path, state) as again:
        append(again, range(4, 8))
        assert contents(again) == [[0, 1, 2], [3, 4, 5], [6, 7]]
    assert len(list(tmp_path.iterdir())) == 3


def test_what_is_done_goes_when_that_is_recorded(tmp_path):
    with opened(tmp_path) as rows:
        append(rows, range(7))
        state = rows.publish(2)
        assert (tmp_path / "rows-00000.jsonl").exists()
        assert [file["index"] for file in state["files"]] == [2]
        rows.publish(2)
        assert [path.name for path in tmp_path.iterdir()] == ["rows-00002.jsonl"]
    with opened(tmp_path, state) as again:
        assert contents(again, 2) == [[6]]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 12), st.integers(0, 12))
def test_wherever_it_stops_the_files_are_the_same(tmp_path_factory, first, more):
    folder = tmp_path_factory.mktemp("rows")
    with opened(folder) as rows:
        append(rows, range(first))
        state = rows.publish(0)
    numbers = list(range(first + more))
    expected = [numbers[at : at + 3] for at in range(0, len(numbers), 3)]
    with opened(folder, state) as again:
        append(again, numbers[first:])
        assert [each for each in contents(again) if each] == expected
