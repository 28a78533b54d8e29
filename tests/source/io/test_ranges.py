from __future__ import annotations

import threading
from pathlib import Path

import pytest

from quest22.demo.server import RangeServer
from quest22.source.io.ranges import RangeReader
from quest22.source.io.retry import RetryingClient

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


RANGES = [(0, 10), (100, 100), (5, 4), (len(CONTENT) - 3, len(CONTENT)), (0, len(CONTENT))]


@pytest.mark.parametrize(("start", "stop"), RANGES)
def test_local_and_remote_ranges_are_the_same(path: Path, start: int, stop: int) -> None:
    local = RangeReader(str(path), RetryingClient())
    with RangeServer(path.parent) as server:
        client = RetryingClient()
        remote = RangeReader(f"{server.url}/file", client)
        assert local.size == remote.size == len(CONTENT)
        assert (local.remote, remote.remote) == (False, True)
        assert local.fetch(start, stop) == remote.fetch(start, stop) == CONTENT[start:stop]
        assert client.metrics.counts().get("net_bytes", 0) == max(0, stop - start)
        remote.close()
    local.close()


def test_threads_may_share_a_reader(path: Path) -> None:
    with RangeServer(path.parent) as server:
        reader = RangeReader(f"{server.url}/file", RetryingClient())
        found: dict[int, bytes] = {}

        def fetch(start: int) -> None:
            found[start] = reader.fetch(start, start + 50)

        threads = [threading.Thread(target=fetch, args=[start]) for start in range(0, 500, 50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        reader.close()
    assert found == {start: CONTENT[start : start + 50] for start in range(0, 500, 50)}


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        RangeReader(str(tmp_path / "none"), RetryingClient())
