from __future__ import annotations

import pytest

from quest22.metrics import Metrics
from quest22.runs.figures import Figures

FIGURES = Figures(
    clips=2,
    failures=1,
    audio_s=90.0,
    processed_s=100.0,
    elapsed_s=10.0,
    seconds={"encoder": 6.0, "wait_audio": 1.0, "wait_network": 0.5, "audio": 20.0},
)


def test_the_parts_add_up_to_the_whole():
    assert sum(seconds for _, seconds in FIGURES.engine_thread()) == FIGURES.elapsed_s
    assert FIGURES.engine_thread()[:2] == [("encoder", 6.0), ("other", 2.5)]
    assert sum(share for _, share in FIGURES.shares()) == pytest.approx(1.0)


def test_waits_and_the_rest_add_up_to_the_whole():
    assert FIGURES.waits() == [("wait_network", 0.5), ("wait_source", 0.0), ("wait_audio", 1.0)]
    assert FIGURES.unhindered_s == 8.5
    assert FIGURES.other_threads() == [("audio", 20.0), ("source", 0.0)]


@pytest.mark.parametrize(
    ("total", "left_s"), [(None, None), (0, None), (2, None), (3, 0.0), (9, 20.0)]
)
def test_what_is_left(total, left_s):
    assert FIGURES.left_s(total) == left_s


def test_figures_of_metrics():
    metrics = Metrics()
    metrics.count("clips", 3)
    metrics.count("audio_s", 12.0)
    metrics.count("net_bytes", 7)
    metrics.count_labelled("retries", "host", "time-out")
    figures = Figures.of(metrics)
    assert (figures.clips, figures.audio_s, figures.processed_s) == (3, 12.0, 12.0)
    assert figures.received_bytes == 7
    assert figures.retries == {("host", "time-out"): 1}


def test_no_speed_before_there_was_sound():
    assert Figures.of(Metrics()).real_time_factor is None
    assert FIGURES.real_time_factor == 0.1
