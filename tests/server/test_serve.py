"""The command as a process: where it listens, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from websockets.sync.client import connect

from quest22.cli.serve import check_python
from quest22.errors import SourceError, UsageError
from quest22.server.listening import bind, tls_context
from quest22.settings.server import ServerSettings
from tests.support.certificates import make_certificate
from tests.support.running_server import running_server

posix = pytest.mark.skipif(os.name != "posix", reason="signals and Unix sockets")


@contextmanager
def command(*flags: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``quest22 serve``, and its address."""
    line = [sys.executable, "-m", "quest22", "serve", "--port", "0", *flags]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        line, stderr=subprocess.PIPE, text=True, encoding="utf-8", env=environment
    )
    assert process.stderr is not None
    try:
        line = next(line for line in process.stderr if "serving at" in line)
        yield process, re.search(r"http://[0-9.:]+\d", line)[0]
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_that_is_no_failure(number: signal.Signals) -> None:
    with command("-m", "nano", "--no-preload") as (process, address):
        for _ in range(1000):
            try:
                assert httpx2.get(f"{address}/health").status_code == 200
                break
            except httpx2.ConnectError:
                continue
        process.send_signal(number)
        assert process.wait(60) == 0


@pytest.fixture
def silent_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[socket.socket]:
    """A Hub that takes requests and never answers; nothing is in the caches."""
    with socket.create_server(("127.0.0.1", 0)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{hub.getsockname()[1]}")
        for name in ("HF_HOME", "QUEST22_CACHE", "XDG_CACHE_HOME", "HOME"):
            monkeypatch.setenv(name, str(tmp_path))
        yield hub


@posix
@pytest.mark.parametrize("times", [1, 2])
def test_it_ends_while_a_model_is_loaded(silent_hub: socket.socket, times: int) -> None:
    with command("-m", "base=someone/whisper") as (process, address):
        client, _ = silent_hub.accept()
        with client:
            assert httpx2.get(f"{address}/health").status_code == 200
            assert httpx2.get(f"{address}/ready").json() == {"status": "the model is being loaded"}
            for _ in range(times):
                process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0


@posix
def test_a_second_signal_waits_for_nobody() -> None:
    head = "POST /v1/listen HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
    with (
        command("-m", "nano", "--no-preload", "--drain", "10m") as (process, address),
        connect(f"{address}/live".replace("http", "ws"), open_timeout=60) as speaking,
        socket.create_connection(urlsplit(address).netloc.split(":")) as upload,
    ):
        assert speaking.recv(timeout=60)
        upload.sendall(head.encode() + b"RIFF")
        upload.settimeout(0.5)
        with pytest.raises(TimeoutError):
            upload.recv(1)
        process.send_signal(signal.SIGINT)
        while httpx2.get(f"{address}/ready").status_code == 200:
            continue
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


@posix
def test_it_says_when_the_model_is_loaded_and_asks_the_engine() -> None:
    with command("-m", "nano", "--log", "json") as (process, address):
        assert process.stderr is not None
        assert json.loads(next(process.stderr))["message"] == "nano is loaded"
        assert httpx2.get(f"{address}/ready", timeout=60).json() == {"status": "ready"}
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_a_first_model_that_cannot_be_loaded_ends_it(tmp_path: Path) -> None:
    with command("-m", f"base={tmp_path}") as (process, _):
        assert process.wait(120) == 1
        assert process.stderr is not None
        (line,) = process.stderr.read().splitlines()
    assert line.startswith("quest22: the model 'base' cannot be loaded: ")
    assert str(tmp_path) in line


def test_everyone_may_is_said() -> None:
    line = [sys.executable, "-m", "quest22", "serve", "--host", "192.0.2.1", "-m", "nano"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        line,
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment,
        timeout=120,
    )
    warning, error = done.stderr.splitlines()
    assert "everyone who reaches 192.0.2.1 may use this server: --keys FILE" in warning
    assert "cannot listen at 192.0.2.1:8000" in error
    assert done.returncode == 1


def test_pythons_that_are_too_old() -> None:
    check_python((3, 11, 0))
    with pytest.raises(UsageError, match=r"needs Python 3\.11 or newer, and this is 3\.10\.12"):
        check_python((3, 10, 12))


def test_a_unix_socket_where_there_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(socket, "AF_UNIX", raising=False)
    with pytest.raises(UsageError, match="none here: use --host and --port"):
        bind(ServerSettings(uds=tmp_path / "quest22.socket"))


@posix
def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "quest22.socket"
    with running_server(uds=path, forwarded_allow_ips=("unix",)):
        transport = httpx2.HTTPTransport(uds=str(path))
        with httpx2.Client(transport=transport, base_url="http://any.name") as client:
            assert client.get("/health").json() == {"status": "ok"}
            assert client.get("/metrics").status_code == 403  # a proxy may ask for anybody
        with pytest.raises(SourceError, match="another server listens there"):
            bind(ServerSettings(uds=path))
    bind(ServerSettings(uds=path)).close()  # what a killed server leaves is replaced


def test_a_certificate(tmp_path: Path) -> None:
    both = make_certificate(tmp_path, "localhost")
    trusting = ssl.create_default_context(cafile=str(both))
    with running_server(tls_cert=both) as secure:
        url = f"https://localhost:{secure.port}/health"
        assert httpx2.get(url, verify=trusting).json() == {"status": "ok"}
        with pytest.raises(httpx2.HTTPError):
            httpx2.get(url.replace("https", "http"))


def test_certificates_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("nothing", encoding="utf-8")
    for name in ("bad.pem", "missing.pem"):
        with pytest.raises(UsageError, match=f"{name} cannot be used: .*expected PEM"):
            tls_context(ServerSettings(tls_cert=tmp_path / name))
    with pytest.raises(UsageError, match="give --tls-cert too"):
        ServerSettings(tls_key=tmp_path / "bad.pem")


def test_an_address_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SourceError, match=f"cannot listen at 127.0.0.1:{port}"):
            bind(ServerSettings(port=port))
