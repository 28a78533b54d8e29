"""A request's body, received beside the work on it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from quest22.server.refusal import Refusal
from quest22.server.upload.body import Body, ClientGoneError
from quest22.server.upload.receiving import receiving
from quest22.server.upload.temporary_space import TemporarySpace

Receive = Callable[[], Awaitable[dict[str, Any]]]


def sender(*parts: bytes, then: str = "wait", at_end: bool = True) -> Receive:
    """A client that sends parts, and then waits, or goes."""
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": part, "more_body": not at_end or i + 1 < len(parts)}
        for i, part in enumerate(parts)
    ]
    if then == "goes":
        messages.append({"type": "http.disconnect"})

    async def receive() -> dict[str, Any]:
        if not messages:
            await asyncio.Event().wait()
        return messages.pop(0)

    return receive


async def received(receive: Receive, most: int = 100) -> bytes:
    body = Body(receive, None, most)  # type: ignore[arg-type]
    async with receiving(body, aiter(body), TemporarySpace()) as file:
        return await asyncio.to_thread(file.open().read)


def test_the_recording_is_the_body() -> None:
    assert asyncio.run(received(sender(b"ab", b"", b"cd"))) == b"abcd"


def test_a_client_that_goes_on_the_way() -> None:
    with pytest.raises(ClientGoneError):
        asyncio.run(received(sender(b"ab", then="goes", at_end=False)))


def test_a_client_that_goes_while_its_recording_is_in_work() -> None:
    async def work() -> None:
        body = Body(sender(b"ab", then="goes"), None, 100)  # type: ignore[arg-type]
        async with receiving(body, aiter(body), TemporarySpace()):
            await asyncio.Event().wait()

    with pytest.raises(ClientGoneError):
        asyncio.run(work())


def test_too_many_bytes() -> None:
    with pytest.raises(Refusal) as refused:
        asyncio.run(received(sender(b"a" * 60, b"a" * 60)))
    assert refused.value.status == 413


def test_an_error_of_the_work_is_its_own() -> None:
    async def work() -> None:
        body = Body(sender(), None, 100)  # type: ignore[arg-type]
        async with receiving(body, aiter(body), TemporarySpace()):
            raise Refusal("unreadable_audio", "no sound")

    with pytest.raises(Refusal, match="no sound"):
        asyncio.run(work())


def test_a_size_that_is_too_large_is_refused_unseen() -> None:
    scope = {"type": "http", "headers": [(b"content-length", b"3000000")]}
    with pytest.raises(Refusal) as refused:
        Body.of(scope, sender(), 2_000_000)  # type: ignore[arg-type]
    assert refused.value.reason == "too_large"
    assert Body.of(scope, sender(), 3_000_000).stated_bytes == 3_000_000  # type: ignore[arg-type]
