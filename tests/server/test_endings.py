"""A server that is asked to end while clients speak, alone and behind nginx."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from quest22.records import Samples
from tests.support.certificates import make_certificate
from tests.support.recordings import recordings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="signals"),
]
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")
CONFIGURATION = Path(__file__).parent.parent.parent / "recipes" / "serving" / "nginx.conf"

Front = Callable[[str, Path], Any]
"""Stands between clients and a server (its address); gives the address that clients use."""


@contextmanager
def nothing(address: str, folder: Path) -> Iterator[tuple[str, Any]]:
    del folder
    yield address, None


@contextmanager
def nginx(address: str, folder: Path) -> Iterator[tuple[str, Any]]:
    """The recipe's configuration, but for names, ports and folders."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    certificate = make_certificate(folder, "localhost")
    site = CONFIGURATION.read_text(encoding="utf-8")
    site = site.replace("127.0.0.1:8000", address.removeprefix("http://"))
    site = site.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
    site = re.sub(r"/etc/ssl/\S+\.(pem|key);", f"{certificate};", site)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{ access_log off;\n{temporary}{site}}}\n",
        encoding="utf-8",
    )
    command = [NGINX or "", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    process = subprocess.Popen([*command, "-e", str(folder / "error.log")])
    try:
        import ssl

        wait_for(port)
        yield f"https://localhost:{port}", ssl.create_default_context(cafile=str(certificate))
    finally:
        process.terminate()
        process.wait(30)


def wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nobody listens at {port}")


@contextmanager
def served(*flags: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command with nano, loaded, and its address."""
    line = [sys.executable, "-m", "quest22", "serve", "-m", "nano", "--port", "0", *flags]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        line, stderr=subprocess.PIPE, text=True, encoding="utf-8", env=environment
    )
    assert process.stderr is not None
    try:
        address = next(line for line in process.stderr if "serving at" in line).split()[3][:-1]
        assert "is loaded" in next(process.stderr)
        yield process, address
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


fronts = pytest.mark.parametrize(
    "front",
    [
        nothing,
        pytest.param(nginx, marks=pytest.mark.skipif(NGINX is None, reason="nginx is not here")),
    ],
)


@pytest.fixture(scope="module")
def speech() -> Samples:
    return np.concatenate([*recordings("en", 2), np.zeros(4000, np.float32)])


def speaking(url: str, tls: Any) -> ClientConnection:
    address = url.replace("http", "ws", 1) + "/live?language=en"
    return connect(address, ssl=tls, open_timeout=60, proxy=None)


def last_words(client: ClientConnection) -> tuple[list[dict[str, Any]], int]:
    """The events up to the end, and the code that closes."""
    events = []
    try:
        while True:
            events.append(json.loads(client.recv(timeout=60)))
    except ConnectionClosed as closed:
        return events, closed.rcvd.code if closed.rcvd else 1006


@fronts
def test_who_speaks_gets_the_last_words_and_nobody_else_is_let_in(
    front: Front, speech: Samples, tmp_path: Path
) -> None:
    with (
        served() as (process, address),
        front(address, tmp_path) as (url, tls),
        speaking(url, tls) as client,
    ):
        client.send((speech * 32767).astype("<i2").tobytes())
        heard = [json.loads(client.recv(timeout=60)) for _ in range(2)]
        assert heard[0]["type"] == "ready"
        assert heard[1]["text"]
        process.send_signal(signal.SIGTERM)
        events, code = last_words(client)
        assert process.wait(60) == 0
    assert code == 1012
    assert events[-1]["type"] == "end"
    assert any(event["type"] == "final" and event["text"] for event in heard[1:] + events)


@fronts
def test_newcomers_are_told_when_to_come_again(front: Front, tmp_path: Path) -> None:
    with (
        served("--max-live", "1") as (process, address),
        front(address, tmp_path) as (url, tls),
        speaking(url, tls) as client,
    ):
        with pytest.raises(InvalidStatus) as caught:
            speaking(url, tls)
        assert caught.value.response.status_code == 503
        assert caught.value.response.headers["Retry-After"] == "5"
        client.send(b'{"type": "end"}'.decode())
        assert last_words(client)[1] == 1000
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


@fronts
def test_an_answer_comes_before_the_whole_body(front: Front, tmp_path: Path) -> None:
    """nginx passes a body on while it comes: the refusal of one without end is read."""
    head = b"POST /health HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with served() as (_, address), front(address, tmp_path) as (url, tls):
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname, parts.port), timeout=30) as plain:
            client = tls.wrap_socket(plain, server_hostname="localhost") if tls else plain
            client.sendall(head + b"5\r\nbegun\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 405")
            client.close()
