from __future__ import annotations

import pytest

from quest22.cli.figures import PART_NAMES, WAIT_NAMES, model_of, size
from quest22.runs.figures import ENGINE_THREAD, OTHER_THREADS, WAITS, Figures
from quest22.runs.progress_lines import clip_count, speed


def test_every_part_of_a_run_has_a_name():
    assert {*ENGINE_THREAD, *OTHER_THREADS, "other"} == set(PART_NAMES)
    assert set(WAITS) == set(WAIT_NAMES)


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ((1,), "1 clip"),
        ((0,), "0 clips"),
        ((1200,), "1,200 clips"),
        ((12, 5000), "12 of 5,000 clips"),
    ],
)
def test_clip_counts(counts, text):
    assert clip_count(*counts) == text


@pytest.mark.parametrize(
    ("processed_s", "text"),
    [(0.0, "starting"), (42.0, "4.2× real time"), (420.0, "42× real time")],
)
def test_speed(processed_s, text):
    assert speed(Figures(0, 0, 0.0, processed_s, 10.0, {})) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (3400, "3.4 kB"), (2.5e6, "2.5 MB"), (7e12, "7.0 TB")],
)
def test_sizes(count, text):
    assert size(count) == text


@pytest.mark.parametrize(
    ("noted", "text"),
    [
        ({}, "base (float32)"),
        ({"engine": "native", "device": "cpu"}, "base (float32, native)"),
        ({"engine": "torch", "device": "cuda"}, "base (float32, torch on cuda)"),
    ],
)
def test_a_model_is_told_with_its_engine_where_a_plan_notes_it(noted, text):
    assert model_of({"model": "base", "compute_type": "float32", **noted}) == text
