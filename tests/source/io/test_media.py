from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from quest22.demo.server import RangeServer
from quest22.errors import ClipError
from quest22.source.io.media import media_opener

CONTENT = bytes(range(256)) * 40_000


def test_a_remote_file_is_read_in_parts(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(CONTENT)
    with RangeServer(tmp_path) as server, media_opener(f"{server.url}/a.wav")() as file:
        assert file.seek(-256, io.SEEK_END) == len(CONTENT) - 256
        assert file.read() == CONTENT[-256:]
        file.seek(1000)
        assert file.read(1000) == CONTENT[1000:2000]
        assert server.traffic.bytes_sent < len(CONTENT) / 2


def test_a_file_inside_an_archive(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("in/a.wav", CONTENT)
    with RangeServer(tmp_path) as server:
        for address in (f"zip://in/a.wav::{server.url}/a.zip", f"zip://in/a.wav::{tmp_path}/a.zip"):
            with media_opener(address)() as file:
                assert file.seekable()
                assert file.read() == CONTENT


class _Plain(BaseHTTPRequestHandler):
    """A server that knows neither ranges nor, if asked to be sloppy, the length of its answer."""

    def do_HEAD(self) -> None:
        self._head()

    def do_GET(self) -> None:
        self._head()
        self.wfile.write(CONTENT)

    def _head(self) -> None:
        self.send_response(200)
        if self.path != "/sloppy":
            self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class _Server(HTTPServer):
    def handle_error(self, *_: object) -> None:
        """A reader that hangs up early is no news."""


@pytest.fixture
def plain_server() -> Iterator[str]:
    server = _Server(("127.0.0.1", 0), _Plain)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("target", ["plain", "sloppy"])
def test_a_server_without_ranges_is_read_through(plain_server: str, target: str) -> None:
    with media_opener(f"{plain_server}/{target}")() as file:
        file.seek(5000)
        assert file.read(100) == CONTENT[5000:5100]
        assert file.seek(0, io.SEEK_END) == len(CONTENT)
        file.seek(0)
        assert file.read() == CONTENT


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://127.0.0.1:9/a.wav", "cannot be reached"),
        ("nosuch://host/a.wav", "nosuch"),
        ("zip://a.wav::/no/such.zip", "no such file"),
    ],
)
def test_what_cannot_be_opened(address: str, words: str) -> None:
    with pytest.raises(ClipError, match=words) as caught:
        media_opener(address)()
    assert caught.value.stage == "source"
