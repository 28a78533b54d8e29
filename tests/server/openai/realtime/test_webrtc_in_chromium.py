"""A page that follows OpenAI's guide, in Debian's Chromium, with a recording for its microphone."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
import soundfile

from quest22.records import SAMPLE_RATE_HZ
from tests.support.browser import CHROMIUM
from tests.support.recordings import NANO_IS_HERE, recordings
from tests.support.running_server import RunningServer, running_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
    pytest.mark.skipif(not NANO_IS_HERE, reason="nano's samples are not here"),
]

PAGE = Path(__file__).with_name("call_page.html")
COMPLETED = "conversation.item.input_audio_transcription.completed"
SENTENCE_WORDS = 3
SESSION = {
    "type": "transcription",
    "audio": {"input": {"transcription": {"model": "whisper-1", "language": "en"}}},
}
WAIT_S = 120


class Developer:
    """The developer's own server: it has the page and the key, and is told what the page sees."""

    def __init__(self) -> None:
        self.told: queue.Queue[dict[str, Any]] = queue.Queue()
        self.plan: queue.Queue[str] = queue.Queue()
        self.server_url = ""
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def token(self) -> str:
        answer = httpx2.post(
            f"{self.server_url}/v1/realtime/client_secrets", json={"session": SESSION}, timeout=60
        )
        return str(answer.json()["value"])

    def until(self, kind: str) -> list[dict[str, Any]]:
        """What the page tells, up to an event of a type."""
        found: list[dict[str, Any]] = []
        while not found or found[-1]["type"] != kind:
            found.append(self.told.get(timeout=WAIT_S))
            assert found[-1]["type"] != "failed", found[-1]
        return found

    def until_sentence(self) -> list[dict[str, Any]]:
        """What the page tells, up to a whole sentence.

        The microphone speaks from the moment the page opens it, so the first that is transcribed
        may be the end of a sentence.
        """
        found: list[dict[str, Any]] = []
        while not found or len(found[-1]["transcript"].split()) < SENTENCE_WORDS:
            found += self.until(COMPLETED)
        return found

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        developer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/":
                    page = PAGE.read_text(encoding="utf-8")
                    self._answer(page.replace("SERVER", developer.server_url), "text/html")
                elif self.path == "/token":
                    self._answer(developer.token())
                elif self.path == "/plan":
                    self._answer(developer.plan.get())
                else:
                    self.send_error(404)

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                developer.told.put(json.loads(self.rfile.read(length)))
                self._answer("")

            def _answer(self, text: str, kind: str = "text/plain") -> None:
                self.send_response(200)
                self.send_header("Content-Type", f"{kind}; charset=utf-8")
                self.end_headers()
                with suppress(OSError):  # the browser was killed
                    self.wfile.write(text.encode())

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


@contextmanager
def developer_with(server: RunningServer, developer: Developer) -> Iterator[Developer]:
    developer.server_url = server.url
    thread = threading.Thread(target=developer.http.serve_forever)
    thread.start()
    try:
        yield developer
    finally:
        developer.plan.put("")
        developer.http.shutdown()
        thread.join()
        developer.http.server_close()


@contextmanager
def browser(url: str, microphone: Path, profile: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Chromium on a page; it is killed at the end."""
    assert CHROMIUM is not None
    command = [
        CHROMIUM,
        "--headless=new",
        "--no-sandbox",  # tests may run as root
        "--no-first-run",
        "--disable-gpu",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone}",
        f"--user-data-dir={profile}",
        url,
    ]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=quiet, stderr=quiet)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def microphone(folder: Path, pause_s: float) -> Path:
    """A recording; it is said again and again."""
    sound = recordings("en", 1, longest_s=6)[0]
    pause = np.zeros(round(pause_s * SAMPLE_RATE_HZ), np.float32)
    path = folder / "microphone.wav"
    soundfile.write(path, np.concatenate([pause, sound]), SAMPLE_RATE_HZ)
    return path


def test_a_page_hears_what_was_said(tmp_path: Path) -> None:
    developer = Developer()
    with (
        running_server(allow_origin=(developer.url,)) as server,
        developer_with(server, developer),
    ):
        sound = microphone(tmp_path, pause_s=2.0)
        with browser(developer.url, sound, tmp_path / "profile"):
            events = developer.until_sentence()
            developer.plan.put("rest")
            developer.until("rested")
            developer.until_sentence()
        answered = next(each for each in events if each["type"] == "answered")
        assert answered["status"] == 201
        assert answered["location"].startswith("/v1/realtime/calls/rtc_")
