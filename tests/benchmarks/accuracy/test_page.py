from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.accuracy import page
from benchmarks.accuracy.__main__ import jobs, options
from benchmarks.accuracy.outcomes import Outcome, OutcomeFolder, units
from benchmarks.accuracy.page import NOTHING, Results, panels, sections, table
from benchmarks.accuracy.picture import draw
from benchmarks.accuracy.recordings import HALVES, Recording, RecordingSet
from benchmarks.accuracy.systems import SYSTEMS
from benchmarks.document import filled
from quest22.errors import UsageError

TEXT = "alpha bravo charlie delta echo foxtrot golf hotel india juliet"
HALF, MOST = TEXT[TEXT.index("foxtrot") :], TEXT[TEXT.index("bravo") :]
SETS = (
    RecordingSet(
        "clips",
        (
            Recording(Path("a"), TEXT, "en", 10.0, "even"),
            Recording(Path("b"), TEXT, "de", 10.0, "odd"),
        ),
    ),
    RecordingSet("talks", (Recording(Path("c"), TEXT, "en", 100.0, "even"),)),
)
NOISE = (
    RecordingSet(
        "hum",
        (
            Recording(Path("h0"), "", None, 600.0, "first"),
            Recording(Path("h1"), "", None, 3000.0, "rest"),
        ),
    ),
)
SPEED = {"balanced": 1.0, "fast": 0.5, "balanced-float32": 2.0, "faster-whisper": 5.0}


@pytest.fixture
def outcomes(tmp_path: Path) -> OutcomeFolder:
    """Everything is heard rightly, but for the talk; faster-whisper loses half of that."""
    folder = OutcomeFolder(tmp_path, threads=1)
    for system in SYSTEMS:
        if system.name not in SPEED:
            continue
        for unit in units(SETS, "base", HALVES):
            texts = {each.name: TEXT for each in unit.recordings}
            if "c" in texts:
                texts["c"] = HALF if system.name == "faster-whisper" else MOST
            seconds = SPEED[system.name]
            about = f"{system.program} 1, {system.compute_type or 'int8_kv'}"
            folder.write(system, unit, Outcome(texts, seconds, 2 * seconds, 10**8, about, 1))
        for unit in units(NOISE, "base", system.noise):
            texts = {each.name: "Thank you." for each in unit.recordings}
            folder.write(system, unit, Outcome(texts, 1.0, 1.0, 1, "", 1))
    return folder


def lines(section: str, *cells: str) -> list[str]:
    return [line for line in section.splitlines() if all(cell in line for cell in cells)]


def test_the_summary_sets_errors_beside_speed(outcomes: OutcomeFolder) -> None:
    text = sections(SETS, NOISE, ["base"], outcomes)["summary"]
    assert "**base**: 2.0 minutes of sound, 30 words." in text
    assert lines(text, "| **balanced (default)** | 10.00 | 0.00 | 3.33 (", "| 0 / 0 | 3.0 | 5.0 |")
    assert lines(text, "| faster-whisper, 5 beams | 50.00 | 0.00 | 16.67 (", "| 5 / 0 | 15 | 1.0 |")
    assert not lines(text, "| balanced, float32")
    assert lines(text, "Left out, not measured: `best`, `chunked`")


def test_errors_are_shown_by_set_language_and_precision(outcomes: OutcomeFolder) -> None:
    found = sections(SETS, NOISE, ["base"], outcomes)
    assert "| errors in % | clips | talks (long) |" in found["sets"]
    assert "| fast | 0.00 | 10.00 |" in found["sets"]
    assert "| errors in % | German | English |" in found["languages"]
    assert "| *words* | 10 | 20 |" in found["languages"]
    assert "| fast | 0.00 | 5.00 |" in found["languages"]
    assert lines(found["precisions"], "| **default**: `int8_kv` |", "| 3.0 | 2.0 |")
    assert lines(found["precisions"], "| `float32` |", "| 6.0 | 1.0 |")
    assert "1 thread each; quest22 1, int8_kv; " in found["machine"]


def test_invented_words_are_scaled_to_an_hour(outcomes: OutcomeFolder) -> None:
    text = sections(SETS, NOISE, ["base"], outcomes)["noise"]
    assert "| balanced (default), base | 60 min | 4 |" in text
    assert "| faster-whisper, 5 beams, base | 10 min | 12 |" in text


def test_a_system_that_is_measured_in_part_is_not_compared(outcomes: OutcomeFolder) -> None:
    fast = next(each for each in SYSTEMS if each.name == "fast")
    first, second, _ = units(SETS, "base", HALVES)
    outcomes.path(fast, first).unlink()
    assert Results.of("base", SETS, outcomes).missing["fast"] == "measured on 2 of 3 parts of sets"
    outcomes.write(fast, second, Outcome(error="no such quality"))
    results = Results.of("base", SETS, outcomes)
    assert results.missing["fast"] == "no such quality"
    assert results.row("fast") is None
    assert results.row("balanced") is not None


def test_a_set_counts_once_half_of_the_systems_have_heard_it(outcomes: OutcomeFolder) -> None:
    *_, talk = units(SETS, "base", HALVES)
    for name in ("fast", "balanced", "balanced-float32"):
        system = next(each for each in SYSTEMS if each.name == name)
        outcomes.path(system, talk).unlink()
    results = Results.of("base", SETS, outcomes)
    assert [each.name for each in results.used] == ["clips"]
    assert len(results.rows) == 4


def test_a_page_without_measurements_says_so(tmp_path: Path) -> None:
    found = sections(SETS, NOISE, ["base"], OutcomeFolder(tmp_path, 1))
    assert set(found.values()) == {NOTHING}


def test_the_page_has_a_place_for_every_section_and_is_filled(
    outcomes: OutcomeFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    for name in sections(SETS, NOISE, ["base"], outcomes):
        assert filled(text, name, "x") != text
    monkeypatch.setattr(page, "PAGE", tmp_path / "accuracy.md")
    monkeypatch.setattr(page, "PICTURE", tmp_path / "accuracy.svg")
    page.PAGE.write_text(text, encoding="utf-8")
    page.fill(SETS, NOISE, ["base"], outcomes)
    once = page.PAGE.read_text(encoding="utf-8")
    assert "| **balanced (default)** | 10.00 |" in once
    page.fill(SETS, NOISE, ["base"], outcomes)
    assert page.PAGE.read_text(encoding="utf-8") == once
    ElementTree.fromstring(page.PICTURE.read_text(encoding="utf-8"))


def test_the_picture_shows_each_mode_by_its_speed(outcomes: OutcomeFolder) -> None:
    long, short = panels(Results.of("base", SETS, outcomes))
    assert {dot.label: (dot.speed, dot.error_percent) for dot in long.dots} == {
        "fast": (200, 10), "balanced (default)": (100, 10), "faster-whisper, 5 beams": (20, 50)
    }  # fmt: skip
    assert {dot.speed for dot in short.dots} == {20, 10, 2}
    assert draw([long, short]).count("<circle") == 6


def test_a_table_has_its_numbers_to_the_right() -> None:
    assert table(["a", "b"], [["x", "1"]]) == "| a | b |\n| --- | --: |\n| x | 1 |"


def test_jobs_go_set_by_set_and_follow_the_filters() -> None:
    given = options().parse_args(
        ["--systems", "balanced,faster-whisper-int8", "--models", "base", "--half", "even"]
    )
    assert [(s.name, u.set_name, u.part) for s, u in jobs(given, SETS, NOISE)] == [
        ("balanced", "clips", "even"), ("faster-whisper-int8", "clips", "even"),
        ("balanced", "talks", "even"), ("faster-whisper-int8", "talks", "even"),
        ("balanced", "hum", "first"), ("balanced", "hum", "rest"),
    ]  # fmt: skip
    given = options().parse_args(["--sets", "clips,hum", "--models", "tiny.en"])
    asked = jobs(given, SETS, NOISE)
    assert {unit.set_name for _, unit in asked} == {"clips", "hum"}
    assert {each.language for _, unit in asked for each in unit.recordings} == {"en", None}
    with pytest.raises(UsageError, match="--sets x: expected some of clips, talks, hum"):
        jobs(options().parse_args(["--sets", "x"]), SETS, NOISE)
