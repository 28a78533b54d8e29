"""Keys among subprotocols."""

from __future__ import annotations

import pytest

from quest22.server.deepgram.live import key_of_subprotocols


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
