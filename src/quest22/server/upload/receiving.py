"""Receives a request's body while it is being processed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

from quest22.server.upload.body import Body
from quest22.server.upload.growing_file import GrowingFile
from quest22.server.upload.temporary_space import TemporarySpace


@asynccontextmanager
async def receiving(
    body: Body,
    pieces: AsyncIterator[bytes],
    space: TemporarySpace,
    expected_bytes: int | None = None,
) -> AsyncIterator[GrowingFile]:
    """A recording that arrives while the block runs; freed at the end.

    ``pieces`` are its bytes, from the body or from elsewhere; ``space`` is where large ones are
    counted; ``expected_bytes`` is an upper limit of the size. If receiving fails, the block is
    cancelled and the error raised instead: :class:`quest22.server.refusal.Refusal` or
    :class:`quest22.server.upload.body.ClientGoneError`. The latter is also raised if the client
    disconnects after the end of the body.
    """
    file = GrowingFile(space, expected_bytes)

    async def receive() -> None:
        async for data in pieces:
            await file.add(data)
        file.finish()
        await body.gone()

    try:
        async with concurrently(receive()):
            yield file
    finally:
        file.close()


@asynccontextmanager
async def concurrently(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run a coroutine while the block runs, then cancel it; its error cancels the block."""
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(work)
            yield
            task.cancel()
    except BaseExceptionGroup as several:  # noqa: F821 -- the server needs Python 3.11
        first = several.exceptions[0]
        raise first from first.__cause__
