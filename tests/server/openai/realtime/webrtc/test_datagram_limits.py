"""What of a peer's datagrams is taken."""

from __future__ import annotations

import pytest

from quest22.server.openai.realtime.webrtc.datagram_limits import DatagramQueue, TokenBucket

SOUND, EVENT = b"\x80" + bytes(20), b"\x17" + bytes(20)


def test_an_allowance_is_gained_again() -> None:
    allowance = TokenBucket(a_second=10, burst=5)
    assert sum(allowance.take(0.0) for _ in range(100)) == 5
    assert sum(allowance.take(0.3) for _ in range(100)) == 3
    assert sum(allowance.take(100.0) for _ in range(100)) == 5


@pytest.mark.parametrize(("data", "most"), [(SOUND, 1000), (EVENT, 2000), (b"", 0)])
def test_a_flood_is_bounded(data: bytes, most: int) -> None:
    queue = DatagramQueue(clock=lambda: 0.0)
    for _ in range(5000):
        queue.put_nowait((data, 1))
    assert queue.qsize() == most
    assert queue.refused == 5000 - most


def test_speech_passes() -> None:
    now_s = 0.0
    queue = DatagramQueue(clock=lambda: now_s)
    for _ in range(10_000):  # packets of 10 ms
        now_s += 0.01
        queue.put_nowait((SOUND, 1))
        queue.get_nowait()
    assert queue.refused == 0


def test_the_end_always_passes() -> None:
    queue = DatagramQueue(clock=lambda: 0.0)
    for _ in range(5000):
        queue.put_nowait((SOUND, 1))
    queue.put_nowait(None)
    assert queue.qsize() == 1001
