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
            assert next(iter(queue)) == expected
            now = expected[0]
    assert list(queue) == [heapq.heappop(heap) for _ in range(len(heap))]


def test_an_event_of_the_past_is_the_next() -> None:
    queue: EventQueue[tuple[float, str]] = EventQueue()
    queue.push((5.0, "a"))
    queue.push((7.0, "b"))
    events = iter(queue)
    assert next(events) == (5.0, "a")
    queue.push((1.0, "late"))
    assert list(events) == [(1.0, "late"), (7.0, "b")]
