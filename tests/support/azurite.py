"""Azurite, Microsoft's own emulator of Azure Blob Storage, if npm has installed it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

import pytest

ACCOUNT = "devstoreaccount1"
KEY = base64.b64encode(b"a key of tests, known to nobody else and worth nothing").decode()
VERSION = "2021-12-02"


@contextmanager
def azure_container(name: str, folder: Path) -> Iterator[None]:
    """A server with one container, and the environment that leads to it."""
    command = shutil.which("azurite-blob")
    if command is None:
        pytest.skip("azurite is not installed: npm install -g azurite")
    pytest.importorskip("obstore", reason="obstore comes with the cluster extra")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder)]
    options += ["--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AZURITE_ACCOUNTS", f"{ACCOUNT}:{KEY}")
        server = subprocess.Popen([command, *options], stdout=subprocess.DEVNULL)
        try:
            _create_container(f"http://127.0.0.1:{port}", name)
            patch.setenv("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT)
            patch.setenv("AZURE_STORAGE_ACCOUNT_KEY", KEY)
            patch.setenv("AZURE_STORAGE_ENDPOINT", f"http://127.0.0.1:{port}/{ACCOUNT}")
            patch.setenv("AZURE_ALLOW_HTTP", "true")
            yield
        finally:
            server.terminate()
            server.wait()


def _create_container(base: str, name: str) -> None:
    """Signed with the shared key, as Azure's documentation of authorization says."""
    until = time.monotonic() + 60
    while True:
        date = formatdate(usegmt=True)
        signed = "PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:{VERSION}\n"
        signed += f"/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
        mac = hmac.new(base64.b64decode(KEY), signed.encode(), hashlib.sha256).digest()
        headers = {
            "x-ms-date": date,
            "x-ms-version": VERSION,
            "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(mac).decode()}",
            "Content-Length": "0",
        }
        address = f"{base}/{ACCOUNT}/{name}?restype=container"
        request = urllib.request.Request(address, method="PUT", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=5):
                return
        except ConnectionError:
            pass
        except OSError as exc:
            if not isinstance(exc.__cause__ or exc.args[0], ConnectionError):
                raise
        if time.monotonic() > until:
            raise TimeoutError("azurite does not answer")
        time.sleep(0.1)
