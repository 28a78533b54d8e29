from __future__ import annotations

import threading
from pathlib import Path

import pytest

from quest22.source.columns import Columns
from quest22.source.io.retry import RetryingClient
from quest22.source.locate import DatasetRequest
from quest22.source.split import RowStream, open_stream, run_in_thread
from tests.support import corpora

SAMPLES = corpora.samples(9)


@pytest.fixture
def stream(tmp_path: Path) -> RowStream:
    for number in range(3):
        corpora.write_parquet(tmp_path / f"a-{number}.parquet", SAMPLES[3 * number :][:3])
    files = [str(tmp_path / f"a-{number}.parquet") for number in range(3)]
    stream = open_stream(DatasetRequest("parquet", data_files=files), "train", RetryingClient())
    stream.kinds()  # the columns are known from here on
    stream.project(Columns("audio", id="id"))
    return stream


def ids(stream: RowStream, starts: dict[int, int]) -> list[tuple[int, int | None, str]]:
    return [(row.part, row.number, row.values["id"]) for row in stream.rows(starts)]


def test_it_knows_its_files_and_their_rows(stream: RowStream, tmp_path: Path) -> None:
    assert stream.parts == 3
    assert stream.files == [str(tmp_path / f"a-{number}.parquet") for number in range(3)]
    assert [stream.num_rows(part) for part in range(3)] == [3, 3, 3]
    assert "audio" in stream.kinds()


def test_files_come_in_the_order_and_from_the_row_they_are_named(stream: RowStream) -> None:
    assert ids(stream, {2: 1, 0: 2}) == [
        (2, 1, SAMPLES[7].id),
        (2, 2, SAMPLES[8].id),
        (0, 2, SAMPLES[2].id),
    ]


def test_only_the_columns_that_are_needed_are_read(stream: RowStream) -> None:
    assert set(next(stream.rows({0: 0})).values) == {"audio", "id"}


def test_a_file_that_cannot_be_opened_is_one_row(stream: RowStream, tmp_path: Path) -> None:
    (tmp_path / "a-1.parquet").write_bytes(b"not a Parquet file")
    rows = list(stream.rows(dict.fromkeys(range(3), 0)))
    assert [(row.part, row.number) for row in rows if row.error] == [(1, None)]
    assert len(rows) == 3 + 1 + 3
    assert stream.num_rows(1) == 1


def test_a_stream_that_is_not_read_to_its_end_ends_its_threads(stream: RowStream) -> None:
    rows = stream.rows(dict.fromkeys(range(3), 0))
    next(rows)
    rows.close()
    for thread in threading.enumerate():
        if thread.name == "quest22-open":
            thread.join(10)
            assert not thread.is_alive()


def test_a_thread_returns_its_result_or_its_error() -> None:
    assert run_in_thread(lambda: 7).result(10) == 7
    with pytest.raises(ZeroDivisionError):
        run_in_thread(lambda: 1 // 0).result(10)
