"""A stand-in for Google Cloud Storage: the calls of its XML API that a store makes.

Spoken: objects put, got, headed and deleted, with generations, ``x-goog-if-generation-match`` and
entity tags; listings of version 2 with prefixes, delimiters and pages. A condition that is not met
is answered with 412, one on a name that is not there too, as Google does.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

PAGE = 1000
DATE = "2026-01-02T03:04:05.000Z"


class Object(NamedTuple):
    content: bytes
    generation: int

    @property
    def tag(self) -> str:
        """Google's tags are the MD5 of most objects; two generations may share one."""
        return f'"{hashlib.md5(self.content, usedforsecurity=False).hexdigest()}"'


@dataclass
class Buckets:
    """The objects of each bucket by name; ``refusals`` are statuses of the next answers."""

    objects: dict[str, dict[str, Object]] = field(default_factory=dict)
    refusals: list[int] = field(default_factory=list)
    honours_conditions: bool = True
    generation: int = 1_000
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, bucket: str, name: str, content: bytes, wanted: str | None) -> tuple[int, Any]:
        """Status, and the object that was written."""
        with self.lock:
            if bucket not in self.objects:
                return 404, None
            known = self.objects[bucket].get(name)
            generation = 0 if known is None else known.generation
            if self.honours_conditions and wanted is not None and int(wanted) != generation:
                return 412, None
            self.generation += 1
            written = Object(content, self.generation)
            self.objects[bucket][name] = written
            return 200, written

    def listing(self, bucket: str, query: dict[str, list[str]]) -> bytes:
        """A page of names below a prefix, those with a further delimiter as common prefixes."""
        prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
        after = query.get("continuation-token", [""])[0]
        with self.lock:
            objects = dict(self.objects[bucket])
        rows: list[str] = []
        folders: dict[str, None] = {}
        last = more = ""
        for name in sorted(objects):
            if not name.startswith(prefix) or name <= after:
                continue
            if len(rows) >= PAGE:
                more = last
                break
            last, rest = name, name.removeprefix(prefix)
            if delimiter and delimiter in rest:
                folders[prefix + rest.split(delimiter)[0] + delimiter] = None
                continue
            each = objects[name]
            rows.append(
                f"<Contents><Key>{escape(name)}</Key><Generation>{each.generation}</Generation>"
                f"<LastModified>{DATE}</LastModified><ETag>{escape(each.tag)}</ETag>"
                f"<Size>{len(each.content)}</Size></Contents>"
            )
        rows += [f"<CommonPrefixes><Prefix>{each}</Prefix></CommonPrefixes>" for each in folders]
        if more:
            rows.append(f"<NextContinuationToken>{escape(more)}</NextContinuationToken>")
        truncated = "true" if more else "false"
        return (
            f"<?xml version='1.0'?><ListBucketResult><IsTruncated>{truncated}</IsTruncated>"
            f"{''.join(rows)}</ListBucketResult>"
        ).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_PUT(self) -> None:
        self._answer(self._put)

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_HEAD(self) -> None:
        self._answer(self._get)

    def do_DELETE(self) -> None:
        self._answer(self._delete)

    def _answer(self, respond: Any) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        buckets, parts = self.server.buckets, urlsplit(self.path)
        bucket, _, name = unquote(parts.path).lstrip("/").partition("/")
        if buckets.refusals:
            self._send(buckets.refusals.pop(0), b"<Error><Code>Refused</Code></Error>")
        else:
            respond(bucket, name, parse_qs(parts.query), body)

    def _put(self, bucket: str, name: str, query: dict[str, list[str]], body: bytes) -> None:
        wanted = self.headers.get("x-goog-if-generation-match")
        status, written = self.server.buckets.put(bucket, name, body, wanted)
        self._send(status, b"", written)

    def _get(self, bucket: str, name: str, query: dict[str, list[str]], body: bytes) -> None:
        buckets = self.server.buckets
        if bucket not in buckets.objects:
            self._send(404, b"<Error><Code>NoSuchBucket</Code></Error>")
        elif not name:
            self._send(200, buckets.listing(bucket, query))
        elif (found := buckets.objects[bucket].get(name)) is None:
            self._send(404, b"<Error><Code>NoSuchKey</Code></Error>")
        else:
            self._send(200, found.content, found)

    def _delete(self, bucket: str, name: str, query: dict[str, list[str]], body: bytes) -> None:
        gone = self.server.buckets.objects[bucket].pop(name, None)
        self._send(204 if gone else 404, b"")

    def _send(self, status: int, body: bytes, found: Object | None = None) -> None:
        self.send_response(status)
        self.send_header("Last-Modified", formatdate(usegmt=True))
        if found is not None:
            self.send_header("ETag", found.tag)
            self.send_header("x-goog-generation", str(found.generation))
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    buckets: Buckets

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a client that was killed
            super().handle_error(request, client_address)


@contextmanager
def gcs_bucket(name: str, folder: Path) -> Iterator[Buckets]:
    """A server with one bucket, and the environment that leads to it. Skips without obstore."""
    pytest.importorskip("obstore", reason="obstore comes with the cluster extra")
    server = _Server(("127.0.0.1", 0), _Handler)
    server.buckets = Buckets({name: {}})
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    account = folder / "account.json"
    base = f"http://127.0.0.1:{server.server_port}"
    account.write_text(
        json.dumps(
            {
                "gcs_base_url": base,
                "disable_oauth": True,
                "client_email": "",
                "private_key": "",
                "private_key_id": "",
            }
        )
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GOOGLE_SERVICE_ACCOUNT", str(account))
        patch.setenv("GOOGLE_ALLOW_HTTP", "true")
        yield server.buckets
    server.shutdown()
    server.server_close()
