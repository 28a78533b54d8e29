"""Odd answers of web servers: each is noticed, costs little, and passes."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from quest22.errors import SourceError
from quest22.source.io.error_kinds import OddResponseError, SourceChangedError
from quest22.source.io.ranges import RangeReader
from quest22.source.io.retry import NetworkError, NetworkSettings, RetryingClient
from quest22.source.io.web_file import _check_redirect
from tests.support.hostile_server import PASSING, HostileServer
from tests.support.peak_memory import linux_only, peak_growth_mb

CONTENT = bytes(range(256)) * 400
QUICK = NetworkSettings(
    retry_timeout_s=20.0,
    unknown_host_timeout_s=20.0,
    first_delay_s=0.01,
    max_delay_s=0.05,
    read_timeout_s=2.0,
    range_timeout_s=3.0,
)
HASTY = replace(QUICK, retry_timeout_s=0.2, unknown_host_timeout_s=0.2)
MIB = 1 << 20


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HostileServer]:
    (tmp_path / "f.tar").write_bytes(CONTENT)
    with HostileServer(tmp_path) as server:
        yield server


def reader(server: HostileServer, settings: NetworkSettings = QUICK, name: str = "f.tar"):
    return RangeReader(f"{server.url}/{name}", RetryingClient(settings))


@pytest.mark.parametrize("oddity", PASSING)
@pytest.mark.parametrize("at", [0, 1, 2])
def test_an_odd_answer_passes(server: HostileServer, oddity: str, at: int) -> None:
    if at == 0 and oddity in ("404", "410", "another file", "page"):
        pytest.skip("a clear answer, or none that can be known to be odd")
    server.odd = {at: oddity}
    file = reader(server)
    assert file.size == len(CONTENT)
    parts = [(0, 100), (5000, 50_000), (len(CONTENT) - 10, len(CONTENT))]
    assert [file.fetch(*part) for part in parts] == [CONTENT[a:b] for a, b in parts]


@pytest.mark.parametrize("oddity", [name for name in PASSING if name != "another file"])
def test_odd_answers_without_end_are_one_line(server: HostileServer, oddity: str) -> None:
    file = reader(server, HASTY)
    server.always = (0, oddity)
    if oddity == "endless range":  # which is the right bytes, and more
        assert file.fetch(0, 100) == CONTENT[:100]
        return
    with pytest.raises(SourceError) as caught:
        file.fetch(0, 100)
    assert isinstance(caught.value, NetworkError)
    assert server.url.removeprefix("http://") in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("oddity", "told"), [("404", "404"), ("410", "410"), ("page", "sent a web page")]
)
def test_a_file_that_never_was_is_told_at_once(
    server: HostileServer, oddity: str, told: str
) -> None:
    server.always = (0, oddity)
    with pytest.raises(Exception, match=told):
        reader(server)
    assert server.count == 1


@pytest.mark.parametrize("validators", ["ETag", "weak ETag", "date", "size"])
@pytest.mark.parametrize("honours", [True, False])
def test_another_file_under_the_same_name(
    server: HostileServer, tmp_path: Path, validators: str, honours: bool
) -> None:
    server.etags, server.dates = "ETag" in validators, validators == "date"
    server.weak, server.honours_if_range = validators == "weak ETag", honours
    file = reader(server, HASTY)
    assert file.fetch(0, 10) == CONTENT[:10]
    path = tmp_path / "f.tar"
    path.write_bytes(CONTENT[::-1] + (b"more" if validators == "size" else b""))
    if validators == "date":
        import os

        os.utime(path, (0, 0))
    with pytest.raises(SourceChangedError, match=r"has changed since .*start over with --restart"):
        file.fetch(10, 20)


def test_a_server_without_ranges_is_read_whole(server: HostileServer) -> None:
    server.extra = lambda _content, _body: {}
    honest = server.honest
    server.honest = lambda request: honest(replace(request, start=None))  # type: ignore[method-assign]
    file = reader(server)
    assert file.fetch(500, 600) == CONTENT[500:600]
    assert file.size == len(CONTENT)


def test_a_server_that_sends_less_and_says_so(server: HostileServer) -> None:
    honest = server.honest
    server.honest = lambda request: honest(  # type: ignore[method-assign]
        replace(request, stop=min(request.stop or 0, (request.start or 0) + 700))
    )
    assert reader(server).fetch(100, 5000) == CONTENT[100:5000]


def packed_whole(server: HostileServer, body: bytes, encoding: str = "gzip") -> None:
    from tests.support.hostile_server import Answer

    server.honest = lambda _request: Answer(  # type: ignore[method-assign]
        "200 OK", {"Content-Encoding": encoding}, body
    )


def test_a_file_that_the_server_packs(server: HostileServer) -> None:
    packed_whole(server, gzip.compress(CONTENT))
    file = reader(server)
    assert (file.size, file.fetch(500, 600)) == (len(CONTENT), CONTENT[500:600])
    packed = reader(server, name="f.tar.gz")
    assert packed.fetch(0, 2) == b"\x1f\x8b"


@linux_only
def test_a_file_that_unpacks_to_very_much_is_refused(server: HostileServer) -> None:
    packed_whole(server, gzip.compress(bytes(300 * MIB), 9))
    with (
        peak_growth_mb() as grown,
        pytest.raises(NetworkError, match="packed more than 200 times"),
    ):
        reader(server, HASTY)
    assert grown[0] < 200


def test_an_encoding_that_nobody_asked_for(server: HostileServer) -> None:
    packed_whole(server, CONTENT, "br")
    with pytest.raises(NetworkError, match="encoding 'br'"):
        reader(server, HASTY)


def test_a_size_that_no_file_has(server: HostileServer) -> None:
    server.always = (0, "10^14 bytes")
    with pytest.raises(ValueError, match="more than a data file can have"):
        reader(server)


def content_digest(_content: bytes, body: bytes) -> Mapping[str, str]:
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    return {"Content-Digest": f"sha-256=:{digest}:"}


def content_md5(_content: bytes, body: bytes) -> Mapping[str, str]:
    return {"Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode()}


def md5_of_all(content: bytes, _body: bytes) -> Mapping[str, str]:
    return content_md5(content, content)


def google(content: bytes, _body: bytes) -> Mapping[str, str]:
    digest = base64.b64encode(hashlib.md5(content).digest()).decode()
    return {"x-goog-hash": f"crc32c=AAAAAA==,md5={digest}"}


@pytest.mark.parametrize("headers", [content_digest, content_md5])
def test_wrong_bytes_under_honest_headers_are_noticed(server: HostileServer, headers) -> None:
    server.extra = headers
    server.odd = {1: "garbled body"}
    assert reader(server).fetch(0, 500) == CONTENT[:500]
    assert server.count == 3


@pytest.mark.parametrize("headers", [md5_of_all, google])
def test_a_checksum_of_all_is_known(server: HostileServer, headers) -> None:
    server.extra = headers
    file = reader(server)
    assert file.fetch(0, 500) == CONTENT[:500]
    (checksum,) = file.checksums
    assert checksum.digest == hashlib.md5(CONTENT).digest()


@pytest.mark.parametrize(
    ("host", "target"),
    [
        ("example.org", "http://127.0.0.1/x"),
        ("example.org", "http://[::1]/x"),
        ("example.org", "http://localhost/x"),
        ("example.org", "http://169.254.169.254/latest/meta-data"),
        ("example.org", "ftp://example.org/x"),
        ("example.org", "file:///etc/passwd"),
    ],
)
def test_redirects_that_are_not_followed(host: str, target: str) -> None:
    with pytest.raises(OddResponseError, match="redirects to"):
        _check_redirect(host, target)


def test_redirects_that_are_followed() -> None:
    _check_redirect("example.org", "https://cdn.example.org/x")
    _check_redirect("127.0.0.1", "http://localhost/x")
