"""Recordings that clients name by an address; the servers are on this machine."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from quest22.server import fetch
from quest22.server.fetch import Fetcher
from quest22.server.refusal import Refusal
from quest22.settings.server import ServerSettings
from tests.support.certificates import make_certificate

SOUND = bytes(range(256)) * 1000


def answer(status: str = "200 OK", body: bytes = SOUND, *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


@contextmanager
def serving(
    *answers: bytes, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[int, list[bytes]]]:
    """A server that answers one connection after another; its port, and what it was asked."""
    asked: list[bytes] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for each in answers:
            with suppress(OSError):
                connection, _ = listening.accept()
                if tls is not None:
                    connection = tls.wrap_socket(connection, server_side=True)
                with connection:
                    asked.append(connection.recv(65_536))
                    connection.sendall(each)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1], asked
    finally:
        listening.close()
        thread.join(5)


def resolving(*addresses: str) -> fetch.Resolve:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve


def here(max_bytes: int = 1_000_000, **changes: object) -> Fetcher:
    """Fetches from this machine as if it were public."""
    facts = {"resolve": resolving("127.0.0.1"), "is_allowed": lambda _: True} | changes
    return Fetcher(max_bytes, **facts)


async def whole(fetching: Fetcher, url: str) -> bytes:
    return b"".join([data async for data in fetching.fetched(url)])


def refused(fetching: Fetcher, url: str) -> Refusal:
    with pytest.raises(Refusal) as caught:
        asyncio.run(whole(fetching, url))
    assert caught.value.parameter == "url"
    return caught.value


def test_a_recording_is_fetched_under_the_name_that_was_given() -> None:
    with serving(answer()) as (port, asked):
        url = f"http://sounds.example:{port}/a%20b.mp3?x=1#part"
        assert asyncio.run(whole(here(), url)) == SOUND
    assert asked[0].startswith(b"GET /a%20b.mp3?x=1 HTTP/1.1\r\n")
    assert f"\r\nHost: sounds.example:{port}\r\n".encode() in asked[0]


def test_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with serving(answer()) as (port, _):
        assert asyncio.run(whole(here(), f"http://sounds.example:{port}/")) == SOUND


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.org/a",
        "gopher://example.org/",
        "//example.org/a",
        "example.org/a",
        "http:///a",
        "http://user:secret@example.org/",
        "http://example.org\\@127.0.0.1/",
        "http://example.org/a b",
        "http://example.org/\r\nHost: x",
        "http://exämple.org/",
        "http://example.org:99999/",
        "http://example.org:25/",
        "http://example.org:x/",
        "http://[::1/",
        "http://exa%6dple.org/",
        "http://" + "a" * 9000,
    ],
)
def test_addresses_that_are_none(url: str) -> None:
    refusal = refused(Fetcher(10, resolve=resolving("8.8.8.8"), is_allowed=lambda _: False), url)
    assert refusal.reason == "bad_request"
    assert "secret" not in refusal.message


@pytest.mark.parametrize(
    "addresses", [("127.0.0.1",), ("8.8.8.8", "10.0.0.1"), ("::ffff:169.254.169.254",), ()]
)
def test_a_host_that_is_not_public_is_never_connected_to(
    addresses: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def connect(*_: object, **__: object) -> None:
        raise AssertionError("a packet")

    monkeypatch.setattr(asyncio, "open_connection", connect)
    refusal = refused(Fetcher(10, resolve=resolving(*addresses)), "http://example.org/")
    assert (refusal.status, refusal.message) == (
        403,
        "url: example.org is not on the public internet",
    )


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "[::1]", "localhost"]
)
def test_names_of_this_machine(host: str) -> None:
    assert refused(Fetcher(10), f"http://{host}/").reason == "forbidden"


def test_redirects_are_looked_at_again() -> None:
    inside = answer("302 Found", b"", "Location: http://10.0.0.1/latest/meta-data")
    asked_for = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked_for.append(host)
        return [host if host == "10.0.0.1" else "127.0.0.1"]

    fetching = here(resolve=resolve, is_allowed=lambda address: address == "127.0.0.1")
    with serving(inside) as (port, _):
        assert refused(fetching, f"http://a.example:{port}/").reason == "forbidden"
    assert asked_for == ["a.example", "10.0.0.1"]


def test_redirects_are_followed_a_few_times() -> None:
    onward = answer("307 Temporary Redirect", b"", "Location: next?x")
    with serving(onward, answer()) as (port, asked):
        assert asyncio.run(whole(here(), f"http://a.example:{port}/a/b")) == SOUND
    assert asked[1].startswith(b"GET /a/next?x ")
    with serving(*[onward] * 6) as (port, asked):
        assert "more than 5 times" in refused(here(), f"http://a.example:{port}/").message
    assert len(asked) == 6


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://[", "http://[x]/"])
def test_a_redirect_to_what_is_none(location: str) -> None:
    onward = answer("302 Found", b"", f"Location: {location}")
    with serving(onward) as (port, _):
        assert refused(here(), f"http://a.example:{port}/").reason == "bad_request"


@pytest.mark.parametrize(
    ("given", "reason", "words"),
    [
        (answer("404 Not Found"), "unreadable_audio", "answered 404"),
        (answer("206 Partial Content"), "unreadable_audio", "answered 206"),
        (answer("200 OK", SOUND, "Content-Encoding: gzip"), "unreadable_audio", "compressed"),
        (answer("200 OK", b"x" * 2000), "too_large", "more than 1000 bytes"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2000, "too_large", "more than 1000 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", "unreadable_audio", "broke off"),
        (b"SSH-2.0-OpenSSH\r\n", "unreadable_audio", "broke off"),
        (b"", "unreadable_audio", "broke off"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, "unreadable_audio", "broke off"),
    ],
)
def test_answers_that_are_no_recording(given: bytes, reason: str, words: str) -> None:
    with serving(given) as (port, _):
        refusal = refused(here(1000), f"http://a.example:{port}/")
    assert refusal.reason == reason
    assert words in refusal.message


def test_a_server_that_is_not_there_or_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    monkeypatch.setattr(fetch, "RESPONSE_TIMEOUT_S", 0.05)
    assert "too slow" in refused(here(), f"http://a.example:{port}/").message
    free.close()
    assert "cannot be reached" in refused(here(), f"http://a.example:{port}/").message


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For sounds.example; key and certificate in one file."""
    folder = tmp_path_factory.mktemp("tls")
    return make_certificate(folder, "sounds.example")


def test_certificates_are_those_of_the_name(certificate: Path) -> None:
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate)
    client = ssl.create_default_context(cafile=str(certificate))
    with serving(answer(), answer(), tls=server) as (port, asked):
        url = f"https://sounds.example:{port}/"
        assert asyncio.run(whole(here(tls=client), url)) == SOUND
        other = url.replace("sounds", "other")
        assert "certificate" in refused(here(tls=client), other).message
    assert len(asked) == 1


def test_it_is_off_unless_it_is_asked_for() -> None:
    async def run() -> None:
        async for _ in fetch.fetched("http://example.org/", ServerSettings(), 10):
            pass

    with pytest.raises(Refusal, match="--fetch-urls"):
        asyncio.run(run())
