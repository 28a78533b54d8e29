from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.demo.server import RangeServer
from quest22.source.io.prefetch import (
    PrefetchedFile,
    Prefetcher,
    interleaved_spans,
    split_spans,
)
from quest22.source.io.ranges import RangeReader
from quest22.source.io.retry import NetworkError, NetworkSettings, RetryingClient

CONTENT = random.Random(0).randbytes(100_000)
SPANS = st.lists(
    st.tuples(st.integers(0, 500), st.integers(1, 300)).map(lambda s: (s[0], sum(s))), max_size=6
)


@given(SPANS, st.integers(1, 120))
def test_split_spans_cover_the_same_bytes(spans: list[tuple[int, int]], most: int) -> None:
    pieces = list(split_spans(spans, most))
    assert all(0 < stop - start <= most for start, stop in pieces)
    assert [at for piece in pieces for at in range(*piece)] == [
        at for span in spans for at in range(*span)
    ]


@given(SPANS, st.integers(1, 120))
def test_interleaving_reorders_the_same_pieces(spans: list[tuple[int, int]], most: int) -> None:
    assert sorted(interleaved_spans(spans, most)) == sorted(split_spans(spans, most))


def test_columns_that_are_read_in_step_advance_together() -> None:
    assert list(interleaved_spans([(0, 40), (100, 120)], 10)) == [
        (0, 10), (100, 110), (10, 20), (20, 30), (110, 120), (30, 40),
    ]  # fmt: skip


@pytest.mark.parametrize(("budget", "threads"), [(1 << 20, 3), (1000, 2), (0, 0)])
def test_a_planned_file_reads_like_any_other(tmp_path: Path, budget: int, threads: int) -> None:
    (tmp_path / "f").write_bytes(CONTENT)
    with RangeServer(tmp_path) as server:
        reader = RangeReader(f"{server.url}/f", RetryingClient())
        prefetcher = Prefetcher(budget, threads)
        file = PrefetchedFile(reader, prefetcher)
        file.plan(split_spans([(0, 60_000), (70_000, 90_000)], 7_000))
        assert file.read(10) == CONTENT[:10]
        assert file.seek(59_990) == 59_990
        assert file.read(20_000) == CONTENT[59_990:79_990]
        assert file.seek(-5, 2) == len(CONTENT) - 5
        assert file.read() == CONTENT[-5:]
        file.seek(0)
        assert file.read() == CONTENT
        file.close()
        prefetcher.close()
        assert prefetcher.buffered_bytes == 0


def test_what_failed_to_be_fetched_fails_where_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(CONTENT)
    with RangeServer(tmp_path) as server:
        client = RetryingClient(NetworkSettings(retry_timeout_s=0.1))
        reader = RangeReader(f"{server.url}/f", client)
        prefetcher = Prefetcher(1 << 20, 1)
        file = PrefetchedFile(reader, prefetcher)
        (tmp_path / "f").unlink()
        file.plan([(0, 100)])
        with pytest.raises(NetworkError, match="there is no such file"):
            file.read(10)
        prefetcher.close()


def test_a_file_of_any_claimed_size_is_planned_a_little_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(CONTENT)
    with RangeServer(tmp_path) as server:
        reader = RangeReader(f"{server.url}/f", RetryingClient())
        reader.size = 10**14
        prefetcher = Prefetcher(1 << 11, 1)
        file = PrefetchedFile(reader, prefetcher)
        halves = [(0, 5_000), (5_000, reader.size)]
        for spans in (split_spans(halves, 10), interleaved_spans(halves, 10)):
            file.plan(spans)
            file.seek(0)
            assert file.read(6_000) == CONTENT[:6_000]
        file.close()
        prefetcher.close()
