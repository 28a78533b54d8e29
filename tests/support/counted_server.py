"""``quest22 serve`` as it is, which tells of its tasks and threads when it is sent SIGUSR1.

    python -m tests.support.counted_server serve -m nano --port 0

It writes one line of JSON to standard output for each signal; SIGUSR2 shows every thread's stack.
``$QUEST22_TEST_PATIENCE_S`` is how long it waits for headers and for answers to its pings.
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import os
import signal
import sys
import threading
from collections import Counter

from quest22.cli.main import main

PATIENCE = "QUEST22_TEST_PATIENCE_S"


def tell(*_: object) -> None:
    """Runs in the main thread, which runs the server's event loop."""
    try:
        running = [each.get_coro() for each in asyncio.all_tasks()]
    except RuntimeError:  # the loop does not run yet, or not any more
        running = []
    tasks = Counter(getattr(each, "__qualname__", type(each).__name__) for each in running)
    threads = Counter(each.name.rstrip("0123456789-_") for each in threading.enumerate())
    print(json.dumps({"tasks": tasks, "threads": threads}), flush=True)


def wait_no_longer_than(seconds: float) -> None:
    from quest22.server import serve
    from quest22.server.access import slow_clients

    serve.PING_S = slow_clients.HEADER_TIMEOUT_S = seconds


if __name__ == "__main__":
    if PATIENCE in os.environ:
        wait_no_longer_than(float(os.environ[PATIENCE]))
    signal.signal(signal.SIGUSR1, tell)
    faulthandler.register(signal.SIGUSR2)
    sys.exit(main())
