"""A damaged page costs its own rows, in every compression and version that pyarrow writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from quest22.metrics import Metrics
from quest22.records import Clip, Failure
from quest22.settings import DatasetSettings
from quest22.source.dataset import DatasetSource
from quest22.source.formats.parquet_pages import Page, damaged_pages, null_patch
from tests.support.corpora import wav_bytes

ROWS = 24


def write(path: Path, **how: Any) -> Any:
    """Two row groups of pages with two or three rows; what the first tells of the sound."""
    sounds = [{"bytes": wav_bytes(4000, seed=n), "path": f"{n}.wav"} for n in range(ROWS)]
    rows = [{"id": f"row-{n}", "audio": sound, "text": "x"} for n, sound in enumerate(sounds)]
    table = pa.Table.from_pylist(rows)
    pq.write_table(
        table, path, row_group_size=ROWS // 2, data_page_size=20_000, write_batch_size=1,
        use_dictionary=["text"], **how,
    )  # fmt: skip
    return pq.read_metadata(path).row_group(0).column(1)


def results(path: Path) -> list[Clip | Failure]:
    settings = DatasetSettings("parquet", data_files=(str(path),), text_column="text")
    return list(DatasetSource(settings, Metrics()))


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize(
    ("compression", "checksum"),
    [("zstd", False), ("gzip", False), ("snappy", True), ("none", True), ("brotli", True)],
)
def test_a_damaged_page_costs_its_own_rows(
    tmp_path: Path, version: str, compression: str, checksum: bool
) -> None:
    path = tmp_path / "a.parquet"
    how = {"data_page_version": version, "compression": compression}
    chunk = write(path, write_page_checksum=checksum, **how)
    whole = results(path)
    content = bytearray(path.read_bytes())
    middle = chunk.data_page_offset + chunk.total_compressed_size * 3 // 8  # inside a page
    content[middle : middle + 200] = b"\xa5" * 200
    path.write_bytes(content)
    found = results(path)
    bad = [each.origin.row for each in found if isinstance(each, Failure)]
    assert 1 <= len(bad) <= 4
    assert bad == list(range(bad[0], bad[0] + len(bad)))
    for before, after in zip(whole, found, strict=True):
        assert before.origin == after.origin
        if isinstance(after, Failure):
            assert "the page of 'audio.bytes' at byte" in after.reason
            assert "a.parquet, row group 0" in after.reason
        else:
            assert isinstance(before, Clip)
            assert (before.media, before.key, before.reference) == (
                after.media, after.key, after.reference,
            )  # fmt: skip


def test_pages_that_are_whole_are_not_damaged(tmp_path: Path) -> None:
    chunk = write(tmp_path / "a.parquet", compression="zstd")
    start = chunk.data_page_offset
    with (tmp_path / "a.parquet").open("rb") as file:
        assert (
            list(
                damaged_pages(
                    file,
                    chunk.compression,
                    chunk.num_values,
                    (start, start + chunk.total_compressed_size),
                )
            )
            == []
        )


def test_a_page_too_small_to_be_replaced() -> None:
    assert null_patch(Page(0, 20, 4, 0, 9, problem="is damaged"), "ZSTD") is None
    patch = null_patch(Page(100, 20, 4000, 0, 9, problem="is damaged"), "ZSTD")
    assert patch is not None
    assert (patch.start, patch.size) == (100, 4020)
