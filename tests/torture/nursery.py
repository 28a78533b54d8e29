"""Processes that share one import of the product, and their sudden deaths.

Forked, not spawned: the imports of a run take seconds, its work a fraction of one.
"""

from __future__ import annotations

import os
import pickle
import signal
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

T = TypeVar("T")

NEEDED = (
    "av",
    "datasets.packaged_modules.parquet.parquet",
    "pyarrow.parquet",
    "quest22.audio.decode",
    "quest22.audio.pool",
    "quest22.source.dataset",
    "soxr",
)


def bring_up() -> None:
    """Import now what every run would import for itself."""
    for name in NEEDED:
        import_module(name)


def forked(call: Callable[[], int]) -> int:
    """Run ``call`` in a process of its own; gives its id."""
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        code = call()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def apart(call: Callable[[], T]) -> T:
    """What ``call`` gives in a process of its own: whatever it loads, this one can still fork."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "result"

        def keep() -> int:
            path.write_bytes(pickle.dumps(call()))
            return 0

        assert ended(forked(keep)) == 0
        result: T = pickle.loads(path.read_bytes())
        return result


def ended(child: int, within_s: float = 120.0) -> int:
    """Wait for a process; its exit code, or minus the signal that killed it."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise TimeoutError(f"a run did not end within {within_s:.0f} s")


def killed_after(child: int, seconds: float) -> int:
    """Kill a process after some time, unless it ended before; its exit code as in :func:`ended`."""
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return ended(child)
