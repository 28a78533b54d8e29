from __future__ import annotations

from quest22.cli.doctor_checks import check_memory
from quest22.cli.exits import Exit


def test_the_doctor_speaks_and_ends_well_or_says_what_is_missing(run, monkeypatch):
    monkeypatch.setattr("quest22.cli.doctor_checks.check_hub", check_memory)
    ended = run("doctor")
    missing = "✗" in ended.out
    assert ended.code == (Exit.NOTHING_DONE if missing else Exit.DONE)
    for subject in ("version", "packages", "processor", "memory", "engine", "codecs", "telemetry"):
        assert f" {subject} " in ended.out
