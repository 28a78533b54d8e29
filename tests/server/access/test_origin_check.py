"""Which pages and which names may use a server on this machine."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from quest22.server.access.origin_check import AllowedOrigins, OriginCheck
from quest22.settings.server import ServerSettings


def sites(**settings: Any) -> AllowedOrigins:
    return AllowedOrigins.of(ServerSettings(**settings))


HOSTS = [
    ("localhost", True),
    ("LocalHost:8000", True),
    ("localhost.", True),
    ("127.0.0.1:8000", True),
    ("[::1]:8000", True),
    ("[::1]", True),
    ("evil.example:8000", False),
    ("127.0.0.1.evil.example", False),
    ("localhost.evil.example", False),
    ("192.168.0.1", False),
    ("", False),
    ("[::1", True),
]


@pytest.mark.parametrize(("host", "allowed"), HOSTS)
def test_names_of_a_server_on_this_machine(host: str, allowed: bool) -> None:
    assert sites().host_allowed(host) is allowed
    assert sites(host="0.0.0.0").host_allowed(host)
    assert sites(allow_host=("*",)).host_allowed(host)


def test_another_name_that_is_allowed() -> None:
    assert sites(allow_host=("My.Box",)).host_allowed("my.box:80")
    assert not sites(allow_host=("my.box",)).host_allowed("other.box")


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("http://localhost:8000", "localhost:8000", True),
        ("https://LOCALHOST:8000", "localhost:8000", True),
        ("http://localhost:3000", "localhost:8000", False),
        ("https://evil.example", "localhost:8000", False),
        ("null", "localhost:8000", False),
        ("null", "", False),
        ("", "localhost:8000", False),
        ("file://", "localhost:8000", False),
        ("http://[", "localhost:8000", False),
        ("http://localhost:8000/", "localhost:8000", False),
        ("https://app.example", "localhost:8000", True),
        ("https://app.example.evil", "localhost:8000", False),
    ],
)
def test_pages_of_other_sites(origin: str, host: str, allowed: bool) -> None:
    assert sites(allow_origin=("https://app.example/",)).origin_allowed(origin, host) is allowed
    assert sites(allow_origin=("*",)).origin_allowed(origin, host)


def ask(kind: str = "http", method: str = "POST", **headers: str) -> tuple[int, dict[str, str]]:
    """The status and headers that a page sees; the application itself answers 200."""
    sent: list[Message] = []
    scope: Scope = {
        "type": kind,
        "method": method,
        "path": "/",
        "headers": [
            (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
        ],
        "extensions": {"websocket.http.response": {}},
    }

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    guarded = OriginCheck(app, sites(allow_origin=("https://app.example",)))
    asyncio.run(guarded(scope, receive, send))
    found = {name.decode(): value.decode() for name, value in sent[0].get("headers", [])}
    return sent[0]["status"], found


def test_programs_are_not_concerned() -> None:
    assert ask(host="localhost") == (200, {})


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_pages_of_other_sites_are_refused(kind: str) -> None:
    status, headers = ask(kind, host="localhost", origin="https://evil.example")
    assert status == 403
    assert "access-control-allow-origin" not in headers
    assert ask(kind, host="evil.example", origin="https://evil.example")[0] == 403


def test_an_allowed_page_may_read_the_answer() -> None:
    status, headers = ask(host="localhost", origin="https://app.example")
    assert status == 200
    assert headers["access-control-allow-origin"] == "https://app.example"
    assert headers["vary"] == "Origin"


def test_an_allowed_page_is_told_before_what_it_may_send() -> None:
    status, headers = ask(
        method="OPTIONS",
        host="localhost",
        origin="https://app.example",
        access_control_request_method="POST",
        access_control_request_headers="authorization, x-stainless-os",
        access_control_request_private_network="true",
    )
    assert status == 204
    assert headers["access-control-allow-headers"] == "authorization, x-stainless-os"
    assert headers["access-control-allow-private-network"] == "true"
