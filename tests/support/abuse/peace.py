"""What must be as before once an abuse is over: the answers, and all that the server holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.abuse.honest import Honest
from tests.support.server_process import Held, ServerProcess, until

MAX_MB = 150.0
"""By so much the memory may grow within an abuse at most; nano's own work takes about a third."""

SETTLE_S = 60.0
POOLS = {"quest22-sound": 64, "asyncio": 40, "AnyIO worker thread": 40, "ThreadPoolExecutor": 40}
"""Threads that stay once they were needed, and how many there may be of each kind."""


@contextmanager
def unharmed(
    server: ServerProcess, honest: Honest, max_mb: float = MAX_MB, settle_s: float = SETTLE_S
) -> Iterator[None]:
    """After the block the server answers rightly, holds what it held, and never held much more."""
    before = server.held()
    memory_mb = server.memory_mb
    server.forget_peak()
    yield
    assert server.process.poll() is None, f"the server has ended:\n{server.log}"
    honest.check(server)
    grown = server.peak_mb - memory_mb
    assert grown <= max_mb, f"{grown:.0f} MB more were held"
    after = server.held()

    def settled() -> bool:
        nonlocal after
        after = server.held()
        return not kept(before, after)

    assert until(settled, settle_s, 0.2), f"{kept(before, after)}\n{server.log[-3000:]}"
    assert "Traceback" not in server.log, server.log[-5000:]


def kept(before: Held, after: Held) -> str:
    """What is held now that was not before, in words."""
    more = {
        "sockets": after.sockets - before.sockets,
        "files": after.files - before.files,
        "temporary files": after.temporary - before.temporary,
        **{
            f"threads {name}": count - max(before.thread_names[name], POOLS.get(name, 0))
            for name, count in after.thread_names.items()
        },
        **{f"task {name}": count for name, count in (after.tasks - before.tasks).items()},
    }
    found = [f"{count} {name}" for name, count in more.items() if count > 0]
    return ", ".join(found)
