"""A web server that sends sound without an end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from quest22.capture.choose import open_source
from quest22.capture.recording import RecordingSource
from quest22.capture.settings import CaptureSettings
from quest22.capture.stop import Stop
from quest22.capture.web_stream import open_endless
from quest22.errors import ClipError
from tests.capture.streams import Encoding, Told, nobody, tone

SONG = Encoding("mp3", "libmp3lame", 44_100).encode(tone(3.0, 44_100))


class Station(BaseHTTPRequestHandler):
    """Sends a song without its length, then waits until the test is over, or ends."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.close_connection = True
        self.send_response(200 if "none" not in self.path else 404)
        if "file" in self.path:
            self.send_header("Content-Length", str(len(SONG)))
        if "breaks" in self.path:  # a piece that another one has to follow
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%b\r\n" % (len(SONG), SONG))
            return
        self.end_headers()
        self.wfile.write(SONG)
        if "endless" in self.path:
            self.server.over.wait(30)  # type: ignore[attr-defined]

    def log_message(self, *_: Any) -> None:
        """Tests are quiet."""


@pytest.fixture
def station() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Station)
    server.over = threading.Event()  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.over.set()  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


def test_a_station_is_heard_while_it_sends(station: str) -> None:
    stop = Stop()
    settings = CaptureSettings(f"{station}/endless?key=secret")
    source = open_source(settings, stop, nobody())
    assert source.title == f"{station}/endless?…"
    (sound,) = source.sounds()
    heard = 0
    while heard < 2.5 * 16_000:
        heard += len(next(sound.blocks))
    stop.set()
    list(sound.blocks)
    source.close()


def test_a_station_that_ends(station: str) -> None:
    told = Told()
    source = open_source(CaptureSettings(f"{station}/short"), Stop(), told)
    (sound,) = source.sounds()
    assert sum(map(len, sound.blocks)) / 16_000 == pytest.approx(3.0, abs=0.1)
    source.close()
    assert told == []


def test_a_station_that_breaks_off(station: str) -> None:
    source = open_source(CaptureSettings(f"{station}/breaks"), Stop(), nobody())
    (sound,) = source.sounds()
    heard: list[int] = []
    with pytest.raises(ClipError, match="the connection broke: the server ended it halfway"):
        heard.extend(map(len, sound.blocks))
    assert sum(heard) / 16_000 == pytest.approx(3.0, abs=0.1)
    source.close()


@pytest.mark.parametrize("path", ["file", "none"])
def test_files_and_errors_are_left_to_others(station: str, path: str) -> None:
    assert open_endless(f"{station}/{path}") is None
    assert isinstance(
        open_source(CaptureSettings(f"{station}/{path}"), Stop(), nobody()), RecordingSource
    )


def test_other_addresses_are_not_asked() -> None:
    assert open_endless("s3://bucket/talk.mp3") is None
    assert open_endless("http://127.0.0.1:1/talk.mp3") is None
