"""Clients that send recordings, each the next as soon as it has the text of the last."""

from __future__ import annotations

import http.client
import json
import secrets
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ANSWER_S = 600


@dataclass(frozen=True, slots=True)
class Address:
    """Where recordings are sent, and the fields of the form beside ``file``."""

    host: str
    port: int
    path: str
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What came of it: texts in the order of the files, ``""`` where an error came instead."""

    seconds: float
    texts: tuple[str, ...]
    waits_s: tuple[float, ...]
    errors: tuple[str, ...]


class Uploads:
    """So many clients at once, until all files are transcribed or :meth:`stop` is called."""

    def __init__(
        self, address: Address, files: Sequence[Path], clients: int, *, again: bool = False
    ) -> None:
        """``again``: begin anew with the first file after the last."""
        self._address = address
        self._files = files
        self._again = again
        self._waiting = deque(range(len(files)))
        self._texts = [""] * len(files)
        self._waits_s: list[float] = []
        self._errors: list[str] = []
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._work) for _ in range(clients)]
        self._begun_s = time.monotonic()
        for thread in self._threads:
            thread.start()

    @property
    def done(self) -> int:
        """How many recordings were answered."""
        return len(self._waits_s)

    def stop(self) -> None:
        """Send no more."""
        self._stopped.set()

    def wait(self) -> Uploaded:
        """Wait for the answers to all that was sent."""
        for thread in self._threads:
            thread.join()
        seconds = time.monotonic() - self._begun_s
        return Uploaded(seconds, tuple(self._texts), tuple(self._waits_s), tuple(self._errors))

    def _work(self) -> None:
        while not self._stopped.is_set():
            try:
                number = self._waiting.popleft()
            except IndexError:
                return
            if self._again:
                self._waiting.append(number)
            begun_s = time.monotonic()
            try:
                self._texts[number] = upload(self._address, self._files[number])
            except (OSError, http.client.HTTPException, ValueError, KeyError) as exc:
                self._errors.append(f"{self._files[number].name}: {exc}")
            self._waits_s.append(time.monotonic() - begun_s)


def upload(address: Address, file: Path) -> str:
    """The text of a recording; raises :class:`ValueError` for an answer that is none."""
    boundary = secrets.token_hex(16)
    body = form_of(boundary, address.fields, file.name, file.read_bytes())
    connection = http.client.HTTPConnection(address.host, address.port, timeout=ANSWER_S)
    try:
        kind = f"multipart/form-data; boundary={boundary}"
        connection.request("POST", address.path, body, {"Content-Type": kind})
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != http.client.OK:
            raise ValueError(f"HTTP {answer.status}: {content[:200].decode(errors='replace')}")
        return str(json.loads(content)["text"]).strip()
    finally:
        connection.close()


def form_of(boundary: str, fields: Mapping[str, str], name: str, content: bytes) -> bytes:
    """A ``multipart/form-data`` body."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
        for key, value in fields.items()
    ]
    parts.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return "".join(parts).encode() + content + f"\r\n--{boundary}--\r\n".encode()
