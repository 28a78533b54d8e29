from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.demo.server import RangeServer, parse_range

CONTENT = bytes(range(256)) * 1000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RangeServer]:
    (tmp_path / "web" / "inner").mkdir(parents=True)
    (tmp_path / "web" / "a b.bin").write_bytes(CONTENT)
    (tmp_path / "web" / "empty").write_bytes(b"")
    (tmp_path / "outside").write_bytes(b"secret")
    (tmp_path / "web" / "link").symlink_to(tmp_path / "outside")
    with RangeServer(tmp_path / "web") as running:
        yield running


def _connection(server: RangeServer) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)


def _ask(
    server: RangeServer, target: str, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = _connection(server)
    connection.request(method, target, headers=headers)
    response = connection.getresponse()
    answer = response.status, dict(response.getheaders()), response.read()
    connection.close()
    return answer


def test_a_whole_file(server: RangeServer) -> None:
    status, headers, body = _ask(server, "/a%20b.bin")
    assert (status, body) == (200, CONTENT)
    assert headers["Accept-Ranges"] == "bytes"
    assert {"ETag", "Last-Modified"} <= set(headers)


@pytest.mark.parametrize(
    ("asked", "first", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=255000-", 255_000, 256_000),
        ("bytes=-5", 255_995, 256_000),
        ("bytes=255999-999999", 255_999, 256_000),
        ("bytes=-999999", 0, 256_000),
    ],
)
def test_a_part_of_a_file(server: RangeServer, asked: str, first: int, stop: int) -> None:
    status, headers, body = _ask(server, "/a%20b.bin", Range=asked)
    assert (status, body) == (206, CONTENT[first:stop])
    assert headers["Content-Range"] == f"bytes {first}-{stop - 1}/256000"


@pytest.mark.parametrize("asked", ["bytes=256000-", "bytes=-0", "bytes=9-8"])
def test_a_part_that_is_not_there(server: RangeServer, asked: str) -> None:
    status, headers, _ = _ask(server, "/a%20b.bin", Range=asked)
    assert (status, headers["Content-Range"]) == (416, "bytes */256000")


@pytest.mark.parametrize("asked", ["bytes=-", "bytes=0-1,4-5", "lines=1-2", "bytes=x-y"])
def test_a_range_it_does_not_know_is_ignored(server: RangeServer, asked: str) -> None:
    status, _, body = _ask(server, "/a%20b.bin", Range=asked)
    assert (status, len(body)) == (200, len(CONTENT))


def test_head_sends_no_body(server: RangeServer) -> None:
    status, headers, body = _ask(server, "/a%20b.bin", "HEAD")
    assert (status, headers["Content-Length"], body) == (200, "256000", b"")
    assert server.traffic.bytes_sent == 0


@pytest.mark.parametrize(
    "target",
    ["/nothing", "/", "/inner", "/../outside", "/%2e%2e/outside", "/inner/../../outside", "/link",
     "//etc/passwd", "/%00"],
)  # fmt: skip
def test_what_it_does_not_serve(server: RangeServer, target: str) -> None:
    assert _ask(server, target)[0] == 404


def test_it_takes_no_other_method(server: RangeServer) -> None:
    assert _ask(server, "/a%20b.bin", "PUT")[0] == 501


def test_one_connection_serves_many_requests(server: RangeServer) -> None:
    connection = _connection(server)
    for target, length in [("/a%20b.bin", 256_000), ("/empty", 0), ("/nothing", 14)] * 3:
        connection.request("GET", target)
        assert len(connection.getresponse().read()) == length
    connection.close()
    assert server.traffic.requests == 9
    assert server.traffic.bytes_sent == 3 * 256_000


@given(
    size=st.integers(0, 1000),
    first=st.none() | st.integers(0, 1200),
    last=st.none() | st.integers(0, 1200),
)
def test_a_range_lies_within_the_file(size: int, first: int | None, last: int | None) -> None:
    shown = ["" if number is None else str(number) for number in (first, last)]
    wanted = parse_range(f"bytes={shown[0]}-{shown[1]}", size)
    if wanted is None:
        return
    assert 0 <= wanted.start <= wanted.stop <= size
    if wanted.partial and first is not None:
        assert wanted.start == first
        assert last is None or wanted.stop == min(size, last + 1)
