from __future__ import annotations

import threading
import time

from quest22.metrics import BOUNDS, Metrics


def test_a_block_counts_while_it_runs_and_once():
    metrics = Metrics()
    with metrics.time("encoder"):
        inside = metrics.seconds()["encoder"]
        assert inside > 0
    after = metrics.seconds()["encoder"]
    assert after > inside
    assert metrics.seconds()["encoder"] == after


def test_blocks_of_one_name_add_up():
    metrics = Metrics()
    metrics.add_seconds("audio", 100.0)
    with metrics.time("audio"):
        assert metrics.seconds()["audio"] > 100.0
    assert metrics.seconds()["audio"] > 100.0


def test_counts_from_many_threads():
    metrics = Metrics()

    def count() -> None:
        for _ in range(500):
            metrics.count("clips")

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert metrics.counts() == {"clips": 4000}


def test_reset_begins_at_zero():
    metrics = Metrics()
    metrics.count("clips", 3)
    metrics.add_seconds("audio", 2.0)
    metrics.reset()
    assert (metrics.counts(), metrics.seconds()) == ({}, {})


def test_a_run_begins_with_what_its_source_has_cost_and_the_next_does_not():
    metrics = Metrics()
    metrics.count("net_bytes", 7)
    metrics.count_labelled("retries", "h", "HTTP 503")
    metrics.add_seconds("source", 1.0)
    with metrics.run():
        assert (metrics.counts(), metrics.seconds()) == ({"net_bytes": 7}, {})
        assert metrics.labelled_counts("retries") == {("h", "HTTP 503"): 1}
    with metrics.run():
        assert (metrics.counts(), metrics.labelled_counts("retries")) == ({}, {})


def test_runs_that_overlap_are_measured_together():
    metrics = Metrics()
    with metrics.run():
        metrics.count("clips")
        with metrics.run():
            metrics.count("clips")
        metrics.reset()
        assert metrics.counts() == {"clips": 2}
    metrics.reset()
    assert metrics.counts() == {}


def test_observed_values_are_counted_in_ranges_and_the_newest_are_kept():
    metrics = Metrics()
    before = time.monotonic()
    for value in (0.01, 1.0, 3.0, 1000.0):
        metrics.observe("wait", value, "file")
    found = metrics.distribution("wait", "file")
    assert (found.total, sum(found.ranges), found.ranges[0], found.ranges[-1]) == (1004.01, 4, 1, 1)
    assert found.ranges[BOUNDS.index(1.0)] == 1
    assert found.since(before) == [0.01, 1.0, 3.0, 1000.0]
    assert found.since(time.monotonic() + 1) == []
    assert sum(metrics.distribution("wait").ranges) == 0
