"""Drains before another host of the application is told to end.

ASGI hosts close connections when a signal asks them to end, and tell the application afterwards:
too late to send anybody the last text. So the signal is held back until that is done.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeAlias

SIGNALS = (signal.SIGINT, signal.SIGTERM)

Handler: TypeAlias = "Callable[[int, FrameType | None], object] | int | None"


@contextmanager
def held_back(drained: Callable[[], Awaitable[None]]) -> Iterator[None]:
    """Wait for ``drained`` before the host's handler of a signal is called.

    A second signal is passed on at once. For hosts that set their handlers by
    :func:`signal.signal` before the application starts, as uvicorn does. Does nothing outside the
    main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop, held = asyncio.get_running_loop(), _HeldSignals(drained)
    hosts = {number: signal.getsignal(number) for number in SIGNALS}

    def handle(number: int, _: FrameType | None) -> None:
        loop.call_soon_threadsafe(held.came, number, hosts[signal.Signals(number)])

    for number in SIGNALS:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, host in hosts.items():
            if signal.getsignal(number) is handle:
                signal.signal(number, host)


class _HeldSignals:
    def __init__(self, drained: Callable[[], Awaitable[None]]) -> None:
        self._drained = drained
        self._draining: asyncio.Task[None] | None = None

    def came(self, number: int, host: Handler) -> None:
        if self._draining is None:
            self._draining = asyncio.ensure_future(self._drain(number, host))
        else:
            self._draining.cancel()
            _pass_on(number, host)

    async def _drain(self, number: int, host: Handler) -> None:
        await self._drained()
        _pass_on(number, host)


def _pass_on(number: int, host: Handler) -> None:
    if callable(host):
        host(number, None)
    else:
        signal.signal(number, host or signal.SIG_DFL)
        signal.raise_signal(number)
