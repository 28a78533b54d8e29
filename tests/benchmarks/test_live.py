from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks.live import NOT_MEASURED, PAGE, SECTION, options, section, shown, steps
from quest22.bench.live.measure import LiveMeasurement, OfflineFigures
from quest22.bench.live.score import Score
from quest22.bench.live.summary import LiveSummary
from quest22.evaluation.score import ErrorRate

MACHINE = {"processor": "P", "cores": 2, "versions": {"Python": "3"}}


@pytest.fixture
def measured() -> list[LiveMeasurement]:
    score = Score(said=1, utterances=4, lost_tails=(2,), errors=ErrorRate(hits=19, deletions=1))
    spoken = LiveMeasurement("quest22", "0.1", "speech", "exact", 2, 60.0, LiveSummary.of(score))
    silent = LiveSummary.of(Score(errors=ErrorRate(insertions=2)))
    return [
        LiveMeasurement(
            **{**asdict(spoken), "summary": spoken.summary, "offline": OfflineFigures(0.04, 0)}
        ),
        LiveMeasurement("quest22", "0.1", "music", "", 1, 60.0, silent, peak_bytes=5_000_000),
        LiveMeasurement(
            "other",
            "",
            "speech",
            "",
            1,
            60.0,
            None,
            failure="no such model; its log is /home/me/log",
        ),
    ]


def test_what_was_measured_is_shown_and_the_rest_is_marked(
    tmp_path: Path, measured: list[LiveMeasurement]
) -> None:
    every = steps(options().parse_args([]))
    rows = [asdict(each) for each in measured]
    document = {"machine": MACHINE, "model": "base", "live": rows}
    (tmp_path / "speech.json").write_text(json.dumps(document))
    text = section(tmp_path, every)
    assert "| quest22 | speech | 2 | – | – | – | 5.0 % | – | 4.0 % | 1 of 4 | – |" in text
    assert "| quest22 | music | 1 | – | – | – | 2 words | – | – | – | – | 5 MB | – |" in text
    assert "other: no such model\n" in text
    assert text.count(NOT_MEASURED) == len(every) - 1
    assert text.endswith("Model base; P, 2 cores; Python 3.")


def test_no_place_of_this_machine_is_on_the_page() -> None:
    given = options().parse_args(
        ["--speech", "/home/me/speech", "--against", "whisperlivekit=/home/me/env/bin/python,vosk"]
    )
    lines = [" ".join(shown(step.arguments)) for step in steps(given)]
    assert "--minutes 0.5 --against whisperlivekit,vosk" in lines
    assert "en_commonvoice100 --minutes 1.2" in lines
    assert "/home" not in " ".join(lines)


def test_other_programs_are_measured_if_they_are_named() -> None:
    alone, beside = (
        {step.name for step in steps(options().parse_args(arguments)) if step.quick}
        for arguments in ([], ["--against", "whisperlivekit"])
    )
    assert beside - alone == {"against"}


def test_the_page_has_a_place_for_it() -> None:
    assert f"<!-- {SECTION} -->" in PAGE.read_text(encoding="utf-8")
