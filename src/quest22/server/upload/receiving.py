"""Receives a request's body beside the work on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

from quest22.server.upload.body import Body
from quest22.server.upload.growing_file import GrowingFile


@asynccontextmanager
async def receiving(
    body: Body, pieces: AsyncIterator[bytes], expected_bytes: int | None = None
) -> AsyncIterator[GrowingFile]:
    """A recording, which arrives while the block runs.

    ``pieces`` are its bytes, from the body or by what the body says; ``expected_bytes`` how many
    there will be at most.
    If it cannot be received, the block is cancelled, and the error raised in its stead:
    :class:`quest22.server.refusal.Refusal`, or :class:`quest22.server.upload.body.ClientGoneError`,
    also when the client goes later. At the end its bytes are freed.
    """
    file = GrowingFile(expected_bytes)

    async def receive() -> None:
        async for data in pieces:
            await file.add(data)
        file.finish()
        await body.gone()

    try:
        async with beside(receive()):
            yield file
    finally:
        file.close()


@asynccontextmanager
async def beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Do some work while the block runs, and no longer; its error ends the block too."""
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(work)
            yield
            task.cancel()
    except BaseExceptionGroup as several:  # noqa: F821 -- the server needs Python 3.11
        first = several.exceptions[0]
        raise first from first.__cause__
