"""A call that runs beside its caller, who asks for its result later."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def run_in_thread(call: Callable[[], T]) -> Future[T]:
    """Begin ``call`` in a thread of its own, which does not keep the process from ending."""
    coming: Future[T] = Future()

    def work() -> None:
        try:
            coming.set_result(call())
        except BaseException as exc:
            coming.set_exception(exc)

    threading.Thread(target=work, name="quest22-open", daemon=True).start()
    return coming
