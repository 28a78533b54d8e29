from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quest22.engine.openvino.graph_cache import (
    ABANDONED_AFTER_S,
    HEADER_BYTES,
    GraphCache,
    release_tensor,
)

ROOM = 1_000_000


def put(cache: GraphCache, key: str, content: bytes) -> None:
    cache.store(key, lambda stream: stream.write(content))


def held(cache: GraphCache, key: str) -> bytes | None:
    found = cache.load(key)
    return None if found is None else found.tobytes()


def test_what_was_stored_comes_back(tmp_path: Path) -> None:
    cache = GraphCache(tmp_path / "new", ROOM)
    assert held(cache, "a") is None
    put(cache, "a", b"first")
    put(cache, "b", b"other")
    put(cache, "a", b"second")
    assert (held(cache, "a"), held(cache, "b")) == (b"second", b"other")
    cache.drop("a")
    assert held(cache, "a") is None


@pytest.mark.parametrize("size", [0, 10, HEADER_BYTES, HEADER_BYTES + 3])
def test_a_file_that_is_not_whole_is_none(tmp_path: Path, size: int) -> None:
    cache = GraphCache(tmp_path, ROOM)
    put(cache, "a", b"content")
    (path,) = tmp_path.iterdir()
    os.truncate(path, size)
    assert held(cache, "a") is None


def test_the_least_used_leave(tmp_path: Path) -> None:
    cache = GraphCache(tmp_path, 3 * (HEADER_BYTES + 5))
    for age, key in enumerate("abc"):
        put(cache, key, b"12345")
        (path,) = tmp_path.glob(f"{key}.*")
        os.utime(path, (1000 + age, 1000 + age))
    assert held(cache, "a") == b"12345"  # used just now
    put(cache, "d", b"12345")
    assert [key for key in "abcd" if held(cache, key)] == ["a", "c", "d"]


def test_one_that_is_too_large_is_not_kept(tmp_path: Path) -> None:
    cache = GraphCache(tmp_path, 100)
    put(cache, "a", b"1" * 101)
    assert held(cache, "a") is None
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_kept_where_nothing_may_be(tmp_path: Path) -> None:
    put(GraphCache(tmp_path / "none", 0), "a", b"1")
    (tmp_path / "file").write_text("")
    put(GraphCache(tmp_path / "file", ROOM), "a", b"1")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_a_killed_process_left_goes(tmp_path: Path) -> None:
    old, new = tmp_path / "old.part", tmp_path / "new.part"
    for path, age in ((old, ABANDONED_AFTER_S + 60), (new, 0.0)):
        path.write_text("")
        os.utime(path, (time.time() - age,) * 2)
    put(GraphCache(tmp_path, ROOM), "a", b"1")
    assert (old.exists(), new.exists()) == (False, True)


def test_a_mapped_file_lives_on_when_it_is_replaced(tmp_path: Path) -> None:
    cache = GraphCache(tmp_path, ROOM)
    put(cache, "a", b"first")
    mapped = cache.load("a")
    put(cache, "a", b"other")
    cache.drop("a")
    assert mapped is not None
    assert mapped.tobytes() == b"first"
    mapped[0] = 0  # in memory alone
    put(cache, "a", b"first")
    assert held(cache, "a") == b"first"


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is told by Linux alone")
def test_what_is_let_go_takes_no_memory_and_can_be_read_again(tmp_path: Path) -> None:
    content = bytes(range(256)) * 200_000
    cache = GraphCache(tmp_path, 100 * ROOM)
    put(cache, "a", content)
    mapped = cache.load("a")
    assert mapped is not None
    assert mapped.tobytes() == content
    before = _shared_bytes()
    release_tensor(mapped)
    assert before - _shared_bytes() > len(content) // 2
    assert mapped.tobytes() == content


def _shared_bytes() -> int:
    """Of this process, memory that is a file's."""
    return int(Path("/proc/self/statm").read_text().split()[2]) * os.sysconf("SC_PAGE_SIZE")


WRITER = """
import sys
from pathlib import Path
from quest22.engine.openvino.graph_cache import GraphCache
cache = GraphCache(Path(sys.argv[1]), 10_000_000)
letter = sys.argv[2].encode()
for _ in range(60):
    cache.store("shared", lambda stream: [stream.write(letter * 1000) for _ in range(50)])
    found = cache.load("shared")
    assert found is None or len(set(found.tobytes())) == 1 and len(found) == 50_000
"""


def test_processes_never_see_half_of_what_another_writes(tmp_path: Path) -> None:
    made = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), letter]) for letter in "xyz"
    ]
    assert [each.wait() for each in made] == [0, 0, 0]
    assert [path.suffix for path in tmp_path.iterdir()] == [".graph"]
