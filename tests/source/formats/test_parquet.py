from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from quest22.metrics import Metrics
from quest22.records import Clip, Failure
from quest22.settings import DatasetSettings
from quest22.source.dataset import DatasetSource
from quest22.source.formats.parquet import ParquetRows
from quest22.source.io.prefetch import Prefetcher
from quest22.source.io.retry import RetryingClient
from quest22.source.rows import RowError

ROWS, GROUP = 23, 5
SOUND = b"RIFF"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    table = pa.table(
        {
            "id": [f"row-{number}" for number in range(ROWS)],
            "text": [f"text {number}" for number in range(ROWS)],
            "audio": [{"bytes": bytes([number]) * 100, "path": None} for number in range(ROWS)],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=GROUP)
    return tmp_path / "a.parquet"


@contextmanager
def opened(path: Path, *names: str) -> Iterator[ParquetRows]:
    with (
        closing(Prefetcher(1 << 20, 2)) as prefetcher,
        closing(ParquetRows(str(path), lambda _: names, RetryingClient(), prefetcher)) as rows,
    ):
        yield rows


def test_rows_are_counted_by_the_footer(path: Path) -> None:
    with opened(path, "id") as rows:
        assert rows.num_rows == ROWS


@pytest.mark.parametrize("start", [0, 1, GROUP, GROUP + 2, ROWS - 1, ROWS])
def test_rows_from_any_row_on(path: Path, start: int) -> None:
    with opened(path, "id") as rows:
        rows.prefetch(start)
        assert list(rows.rows(start)) == [
            (number, {"id": f"row-{number}"}) for number in range(start, ROWS)
        ]


def test_groups_without_a_selected_row_are_left_out(path: Path) -> None:
    with opened(path, "id") as rows:
        rows.prefetch(0, {7, 21})
        numbers = [number for number, _ in rows.rows(0, {7, 21})]
    assert numbers == [*range(5, 10), *range(20, ROWS)]


def test_only_named_columns_are_read_and_missing_ones_left_out(path: Path) -> None:
    with opened(path, "audio", "speaker") as rows:
        rows.prefetch(0)
        number, values = next(iter(rows.rows(0)))
    assert number == 0
    assert values == {"audio": {"bytes": bytes(100), "path": None}}


def test_a_group_without_its_pages_costs_its_own_rows(path: Path) -> None:
    chunk = pq.read_metadata(path).row_group(1).column(0)
    content = bytearray(path.read_bytes())
    start = min(filter(None, (chunk.dictionary_page_offset, chunk.data_page_offset)))
    content[start : start + chunk.total_compressed_size] = bytes(chunk.total_compressed_size)
    path.write_bytes(content)
    with opened(path, "id") as rows:
        rows.prefetch(0)
        found = dict(rows.rows(0))
    assert list(found) == list(range(ROWS))
    lost = [number for number, values in found.items() if isinstance(values, RowError)]
    assert lost == list(range(GROUP, 2 * GROUP))
    assert "a.parquet, row group 1" in found[GROUP].reason


def test_what_is_no_parquet_file_is_raised(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"not a Parquet file")
    with (
        closing(Prefetcher(1 << 20, 2)) as prefetcher,
        pytest.raises(pa.ArrowInvalid),
    ):
        ParquetRows(str(path), lambda _: ["id"], RetryingClient(), prefetcher)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"audio": SOUND, "text": "a"}, {"wav": SOUND, "sentence": "a"}),
        ({"audio": SOUND, "text": "a"}, {"speech": {"bytes": SOUND, "path": None}, "text": "a"}),
        ({"audio": {"bytes": SOUND, "path": None}, "text": "a"}, {"audio": SOUND, "text": "a"}),
        ({"audio": SOUND, "text": "a", "id": 1}, {"audio": SOUND, "text": "a", "uid": "1"}),
        ({"audio": SOUND, "text": "a"}, {"text": "a", "audio": SOUND, "more": [{"x": 1}]}),
        ({"flac": SOUND, "transcript": "a"}, {"opus": SOUND, "text": "a"}),
    ],
)
def test_shards_may_differ_in_their_columns(
    tmp_path: Path, first: dict[str, Any], second: dict[str, Any]
) -> None:
    files = [str(tmp_path / name) for name in ("a.parquet", "b.parquet")]
    for file, row in zip(files, (first, second), strict=True):
        pq.write_table(pa.Table.from_pylist([row, row]), file)
    settings = DatasetSettings("parquet", data_files=tuple(files))
    clips = list(DatasetSource(settings, Metrics()))
    assert [(clip.media, clip.reference) for clip in clips] == [(SOUND, "a")] * 4  # type: ignore[union-attr]
    if "id" in first:
        assert [clip.key.partition("@")[0] for clip in clips] == ["1"] * 4


def test_shards_that_lack_a_named_column_fail(tmp_path: Path) -> None:
    for name, column in (("a.parquet", "audio"), ("b.parquet", "wav")):
        pq.write_table(pa.table({column: [SOUND]}), tmp_path / name)
    files = (str(tmp_path / "a.parquet"), str(tmp_path / "b.parquet"))
    settings = DatasetSettings("parquet", data_files=files, audio_column="audio")
    clip, failure = DatasetSource(settings, Metrics())
    assert isinstance(clip, Clip)
    assert isinstance(failure, Failure)


def test_no_type_or_value_of_another_column_costs_a_recording(tmp_path: Path) -> None:
    bad_text = pa.Array.from_buffers(pa.string(), 1, pa.array([b"caf\xe9"]).buffers())
    columns = {
        "map": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
        "text": bad_text,
        "texts": pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), bad_text),
        "time": pa.array([2**60], pa.timestamp("us")),
        "nothing": pa.nulls(1),
        "half": pa.array([1.0], pa.float16()),
        "decimal": pa.array([1], pa.decimal256(50, 2)),
    }
    table = pa.table({"audio": [SOUND], **columns})
    pq.write_table(table, tmp_path / "a.parquet")
    settings = DatasetSettings(str(tmp_path / "a.parquet"), keep_columns=("*",))
    (clip,) = DatasetSource(settings, Metrics())
    assert isinstance(clip, Clip)
    assert clip.media == SOUND
    assert clip.reference == "caf\\xe9"
    assert (clip.columns["texts"], clip.columns["time"]) == (["caf\\xe9"], 2**60)
    assert clip.columns["map"]
