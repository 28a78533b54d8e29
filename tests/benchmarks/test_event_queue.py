"""Events come out of the queue as out of a heap."""

from __future__ import annotations

import heapq
import random

import pytest

from benchmarks.event_queue import EventQueue


@pytest.mark.parametrize("spread_s", [0.001, 0.1, 100.0])
def test_the_order_is_that_of_a_heap(spread_s: float) -> None:
    rng = random.Random(spread_s)
    queue: EventQueue[tuple[float, int]] = EventQueue()
    heap: list[tuple[float, int]] = []
    now, number = 0.0, 0
    for _ in range(5000):
        if rng.random() < 0.55:
            number += 1
            event = (now + rng.expovariate(1 / spread_s), number)
            queue.push(event)
            heapq.heappush(heap, event)
        elif heap:
            expected = heapq.heappop(heap)
            assert queue.pop() == expected
            now = expected[0]
    while heap:
        assert queue.pop() == heapq.heappop(heap)
    assert queue.pop() is None


def test_an_event_of_the_past_is_the_next() -> None:
    queue: EventQueue[tuple[float, str]] = EventQueue()
    queue.push((5.0, "a"))
    queue.push((7.0, "b"))
    assert queue.pop() == (5.0, "a")
    queue.push((1.0, "late"))
    assert [queue.pop(), queue.pop()] == [(1.0, "late"), (7.0, "b")]
