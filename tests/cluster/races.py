"""What every store promises when many ask at once."""

from __future__ import annotations

import threading

from quest22.cluster.object_store import ObjectStore


def check_that_one_creates(store: ObjectStore, name: str) -> None:
    """Of many threads that create a name, one succeeds, and its content is there."""
    won: list[bytes] = []
    start = threading.Barrier(8)

    def create(content: bytes) -> None:
        start.wait()
        if store.create(name, content):
            won.append(content)

    threads = [threading.Thread(target=create, args=(b"%d" % n * 1000,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored = store.read(name)
    assert stored is not None
    assert won == [stored.content]
