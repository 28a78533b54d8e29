"""The benchmark of the server: its forms, its tables, its program for the Hub's folder."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.server import page
from benchmarks.server.clients import Address, Uploads, form_of
from benchmarks.server.programs import HUB_NAME, write_hub_folder
from benchmarks.server.speakers import summary


class Echo(BaseHTTPRequestHandler):
    """Answers with the recording as its text; with 503 if it is ``bad``."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kind = self.headers["Content-Type"]
        message: Message = BytesParser().parsebytes(f"Content-Type: {kind}\n\n".encode() + body)
        parts = message.get_payload()
        content: Any = parts[-1].get_payload(decode=True)  # type: ignore[union-attr, index]
        self.send_response(503 if content == b"bad" else 200)
        self.end_headers()
        self.wfile.write(b'{"text": " %s"}' % content)

    def log_message(self, *_: Any) -> None:
        return


@contextmanager
def echo() -> Iterator[Address]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Address("127.0.0.1", server.server_port, "/", {"model": "nano"})
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def write_files(folder: Path, *contents: str) -> list[Path]:
    paths = [folder / f"{number}.wav" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_text(content, encoding="utf-8")
    return paths


def test_all_files_are_sent_once(tmp_path: Path) -> None:
    files = write_files(tmp_path, *map(str, range(20)))
    with echo() as address:
        done = Uploads(address, files, 4).wait()
    assert done.texts == tuple(map(str, range(20)))
    assert len(done.waits_s) == 20
    assert not done.errors


def test_a_refusal_is_an_error(tmp_path: Path) -> None:
    with echo() as address:
        done = Uploads(address, write_files(tmp_path, "good", "bad"), 2).wait()
    assert done.texts == ("good", "")
    assert "1.wav: HTTP 503" in done.errors[0]


def test_uploads_without_end_are_stopped(tmp_path: Path) -> None:
    with echo() as address:
        uploads = Uploads(address, write_files(tmp_path, "a", "b"), 2, again=True)
        while uploads.done < 10:
            pass
        uploads.stop()
        assert uploads.wait().texts == ("a", "b")


def test_a_form() -> None:
    assert form_of("xx", {"model": "nano"}, "a.wav", b"sound").splitlines() == [
        b"--xx",
        b'Content-Disposition: form-data; name="model"',
        b"",
        b"nano",
        b"--xx",
        b'Content-Disposition: form-data; name="file"; filename="a.wav"',
        b"Content-Type: application/octet-stream",
        b"",
        b"sound",
        b"--xx--",
    ]


def test_the_folder_of_a_model_as_the_hub_caches_it(tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    write_files(weights, "numbers")
    for _ in range(2):
        write_hub_folder(tmp_path / "hub", weights)
    repository = tmp_path / "hub" / f"models--{HUB_NAME.replace('/', '--')}"
    snapshot = repository / "snapshots" / (repository / "refs" / "main").read_text()
    assert (snapshot / "0.wav").read_text() == "numbers"
    assert "library_name: ctranslate2" in (snapshot / "README.md").read_text()


def test_medians() -> None:
    assert summary([1.0]) is None
    assert summary([float(each) for each in range(101)]) == (50.0, 95.0)


def test_tables() -> None:
    row = {
        "about": "by default",
        "error_rate": 0.1234,
        "failed": 1,
        "peak_bytes": 5e8,
        "processor_s": 10.0,
        "same": 9,
        "slowest_s": 2.5,
    }
    rows = [
        {"name": "quest22 transcribe", "times_real_time": 20.0, **row, "same": None},
        {"name": "quest22 serve", "times_real_time": 19.0, **row},
        {"name": "another", "times_real_time": 4.75, **row, "peak_bytes": None},
    ]
    measured = {"files": 10, "audio_s": 60.0, "model": "base", "programs": rows}
    live = {"sessions": 4, "beside": "nothing", "shown_s": (0.3, 0.6), "final_s": None}
    shown = page.section(
        measured, {"model": "base", "rows": [{**live, "words": 9, "recordings": 0}]}
    )
    assert "| quest22 serve | by default | 19.0 | 95 % | 1.00 | 2.5 | 12.3, 1 failed |" in shown
    assert "| another | by default | 4.8 | 24 % | 4.00 |" in shown
    assert "| 4 | nothing | 0.30 / 0.60 | – | 9 | – |" in shown
    assert "not measured yet" in page.section(None, None)
