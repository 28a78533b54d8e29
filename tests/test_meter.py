from __future__ import annotations

import threading

from quest22.meter import Meter


def test_a_block_counts_while_it_runs_and_once():
    meter = Meter()
    with meter.time("encoder"):
        inside = meter.seconds()["encoder"]
        assert inside > 0
    after = meter.seconds()["encoder"]
    assert after > inside
    assert meter.seconds()["encoder"] == after


def test_blocks_of_one_name_add_up():
    meter = Meter()
    meter.add_seconds("audio", 100.0)
    with meter.time("audio"):
        assert meter.seconds()["audio"] > 100.0
    assert meter.seconds()["audio"] > 100.0


def test_counts_from_many_threads():
    meter = Meter()

    def count() -> None:
        for _ in range(500):
            meter.count("clips")

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert meter.counts() == {"clips": 4000}


def test_reset_begins_at_zero():
    meter = Meter()
    meter.count("clips", 3)
    meter.add_seconds("audio", 2.0)
    meter.reset()
    assert (meter.counts(), meter.seconds()) == ({}, {})


def test_a_run_begins_with_what_its_source_has_cost_and_the_next_does_not():
    meter = Meter()
    meter.count("net_bytes", 7)
    meter.tally("retries", "h", "answer 503")
    meter.add_seconds("source", 1.0)
    meter.begin()
    assert (meter.counts(), meter.seconds()) == ({"net_bytes": 7}, {})
    assert meter.tallies("retries") == {("h", "answer 503"): 1}
    meter.begin()
    assert (meter.counts(), meter.tallies("retries")) == ({}, {})
