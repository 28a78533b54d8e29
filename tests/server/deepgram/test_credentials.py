"""Where keys are named."""

from __future__ import annotations

import pytest

from quest22.server.deepgram.credentials import key_of_header, key_of_subprotocols


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("Token abc", "abc"),
        ("token  abc ", "abc"),
        ("Bearer abc", "abc"),
        ("Basic abc", None),
        ("abc", None),
        ("Token", None),
        (None, None),
    ],
)
def test_headers(header: str | None, key: str | None) -> None:
    assert key_of_header(header) == key


@pytest.mark.parametrize(
    ("offered", "found"),
    [
        (["token", "abc"], ("abc", "token")),
        (["bearer", "abc"], ("abc", "bearer")),
        (["graphql", "token", "abc"], ("abc", "token")),
        (["token"], (None, None)),
        ([], (None, None)),
    ],
)
def test_subprotocols(offered: list[str], found: tuple[str | None, str | None]) -> None:
    assert key_of_subprotocols(offered) == found
