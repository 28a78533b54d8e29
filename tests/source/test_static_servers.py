"""Streaming from plain web servers that are not ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from quest22.metrics import Metrics
from quest22.records import Clip, Failure
from quest22.settings import DatasetSettings
from quest22.source.dataset import DatasetSource
from quest22.source.files import FilesSource
from tests.support import corpora
from tests.support.static_servers import aiohttp_server, nginx

ROWS = corpora.samples(12)
LONG = [
    corpora.Sample(f"long-{n}", f"text {n}", corpora.wav_bytes(32_000, seed=n)) for n in range(120)
]
PARQUET, TAR, LINES = "rows.parquet", "a.tar", "lines/a.jsonl"


@pytest.fixture(scope="module", params=[aiohttp_server, nginx], ids=["aiohttp", "nginx"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("served")
    folder.chmod(0o755)
    corpora.write_parquet(folder / PARQUET, LONG, group=40, ballast=20_000)
    corpora.write_tar(folder / TAR, ROWS)
    corpora.write_sounds(folder / "lines", ROWS)
    corpora.write_jsonl(folder / LINES, ROWS, lambda row: f"{row.id}.wav")
    with request.param(folder, tmp_path_factory.mktemp("run")) as url:
        yield url, folder


def _clips(results: Any) -> list[tuple[str, str | None, bytes]]:
    return [(clip.key, clip.reference, _sound(clip)) for clip in results]


def _sound(clip: Clip | Failure) -> bytes:
    assert isinstance(clip, Clip), clip
    if isinstance(clip.media, bytes):
        return clip.media
    with clip.media() as file:  # type: ignore[operator]
        return file.read()  # type: ignore[no-any-return]


def test_parquet_costs_what_is_needed_of_it(served: tuple[str, Path]) -> None:
    url, folder = served
    metrics = Metrics()
    source = DatasetSource(DatasetSettings(f"{url}/{PARQUET}"), metrics)
    assert _clips(source) == [(row.id, row.text, row.sound) for row in LONG]
    footer = pq.read_metadata(folder / PARQUET)
    chunks = [
        footer.row_group(group).column(column)
        for group in range(footer.num_row_groups)
        for column in range(footer.num_columns)
    ]
    needed = [chunk for chunk in chunks if not chunk.path_in_schema.startswith(("ball", "speak"))]
    # Footers included.
    assert metrics.counts()["net_bytes"] <= 1.05 * sum(c.total_compressed_size for c in needed)


@pytest.mark.parametrize("name", [TAR, LINES])
def test_other_kinds_stream(served: tuple[str, Path], name: str) -> None:
    source = DatasetSource(DatasetSettings(f"{served[0]}/{name}"), Metrics())
    assert _clips(source) == [(row.id, row.text, row.sound) for row in ROWS]


def test_a_recording_streams(served: tuple[str, Path]) -> None:
    (clip,) = FilesSource([f"{served[0]}/lines/{ROWS[0].id}.wav"], metrics=Metrics())
    assert _sound(clip) == ROWS[0].sound
