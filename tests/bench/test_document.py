from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.document import PAGE, filled, tables
from benchmarks.page import options, speed, steps

RESULT = {
    "name": "quest22", "about": "0.1", "seconds": 2.0, "audio_s": 60.0, "tokens_a_window": 100.0,
    "peak_bytes": 5e8, "windows": 2, "parts": {"encoder": 0.5, "decoder": 1.0},
}  # fmt: skip
FIGURES = {
    "machine": {
        "processor": "P", "cores": 2, "features": ["AVX2"], "versions": {"Python": "3"},
    },
    "outcomes": [
        {
            "measure": "throughput", "model": "tiny", "seconds": {}, "complaints": ["x is gone"],
            "results": [RESULT, RESULT | {"name": "other", "seconds": 9.0}],
        },
        {
            "measure": "start", "model": "tiny", "complaints": [], "results": [],
            "seconds": {"cold": 2.5, "warm": 1.25},
        },
    ],
}  # fmt: skip


def test_figures_become_tables() -> None:
    text = tables(FIGURES)
    assert "| quest22 | 30.0 | 1.00 | 100.0 | 500 | 0.1 |" in text
    assert "| other | 6.7 | 4.50 | 100.0 | 500 | 0.1 |" in text
    assert "encoder 250.0, decoder 500.0" in text
    assert "x is gone" in text
    assert "First transcript after 1.25 s; 2.50 s with an empty cache." in text
    assert text.endswith("Machine: P, 2 cores, AVX2; Python 3.")


def test_a_page_is_filled_between_its_marks_and_filled_again() -> None:
    page = "a\n<!-- speed -->\nold\n<!-- end of speed -->\nz\n"
    once = filled(page, "speed", "new\n")
    assert once == "a\n<!-- speed -->\n\nnew\n\n<!-- end of speed -->\nz\n"
    assert filled(once, "speed", "new\n") == once
    with pytest.raises(ValueError, match="no markers for 'weight'"):
        filled(page, "weight", "")


def test_figures_of_several_steps_stand_measure_by_measure(tmp_path: Path) -> None:
    for name, measures in (("tiny", ("throughput", "latency")), ("base", ("throughput",))):
        outcomes = [{"measure": measure, "model": name} for measure in measures]
        figures = {"machine": {"cores": 2}, "outcomes": outcomes}
        (tmp_path / f"{name}.json").write_text(json.dumps(figures))
    found = speed(tmp_path, ["tiny", "streamed", "base"])
    assert found["machine"] == {"cores": 2}
    assert [(each["measure"], each["model"]) for each in found["outcomes"]] == [
        ("throughput", "tiny"), ("throughput", "base"), ("latency", "tiny"),
    ]  # fmt: skip


def test_every_step_of_the_page_has_its_place_there() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for step in steps(options().parse_args([])):
        assert filled(page, step.section, "x") != page
