"""Where keys are named."""

from __future__ import annotations

from typing import Any

import pytest

from quest22.server.access.credentials import (
    TOKEN_OR_BEARER,
    header_key,
    peer_address,
    subprotocol_key,
    subprotocols,
)


def scope(**headers: str) -> dict[str, Any]:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "headers": raw, "client": ("192.0.2.1", 5000)}


@pytest.mark.parametrize(
    ("header", "of_either", "of_bearer"),
    [
        ("Token abc", "abc", None),
        ("token  abc ", "abc", None),
        ("Bearer abc", "abc", "abc"),
        ("bearer  abc ", "abc", "abc"),
        ("Basic abc", None, None),
        ("abc", None, None),
        ("Token", None, None),
        ("Bearer ", None, None),
    ],
)
def test_headers(header: str, of_either: str | None, of_bearer: str | None) -> None:
    request = scope(authorization=header)
    assert header_key(request, TOKEN_OR_BEARER) == of_either
    assert header_key(request) == of_bearer


def test_a_request_without_a_key_has_none() -> None:
    assert header_key(scope()) is None
    assert subprotocols(scope()) == []
    assert subprotocol_key(scope(), "key.") is None


def test_subprotocols() -> None:
    offered = scope(sec_websocket_protocol="quest22, key.abc,, token")
    assert subprotocols(offered) == ["quest22", "key.abc", "token"]
    assert subprotocol_key(offered, "key.") == "abc"
    assert subprotocol_key(offered, "other.") is None


def test_subprotocols_may_come_in_several_headers() -> None:
    request = scope()
    request["headers"] = [(b"sec-websocket-protocol", each) for each in (b"token", b"abc")]
    assert subprotocols(request) == ["token", "abc"]


def test_the_address_of_the_other_side() -> None:
    assert peer_address(scope()) == "192.0.2.1"
    assert peer_address({**scope(), "client": None}) == ""
