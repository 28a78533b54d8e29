from __future__ import annotations

import pytest

from quest22.cli.demo import DemoFlags
from quest22.cli.doctor_checks import Finding, note
from quest22.cli.exits import Exit

HUB_AWAY = note("hub", "https://huggingface.co cannot be reached: no route", "connect")


def test_nano_hears_the_samples_and_a_real_model_people(monkeypatch):
    monkeypatch.setattr("quest22.cli.demo.check_hub", lambda: Finding("hub", "it responds"))
    for model in (None, "nano"):
        flags = DemoFlags(model, take=7)
        assert flags.recordings().described == "7 clips in 3 Parquet files"
        assert flags.settings().engine.model == "nano"
    people = DemoFlags("base", take=7).recordings()
    assert (people.served, people.total) == (None, 7)
    assert people.described.startswith("people's speech from hf-internal-testing/librispeech")


def test_without_the_hub_a_real_model_hears_the_samples_and_it_is_said(monkeypatch, capsys):
    monkeypatch.setattr("quest22.cli.demo.check_hub", lambda: HUB_AWAY)
    assert DemoFlags("base").recordings().served is not None
    said = capsys.readouterr().err
    assert "cannot be reached" in said
    assert "synthetic voices; name your own recordings with --folder" in said


def test_own_recordings_are_never_heard_by_nano_unless_it_is_named(sounds):
    assert DemoFlags(folder=sounds).settings().engine.model is None
    assert DemoFlags("nano", sounds).settings().engine.model == "nano"
    assert DemoFlags(folder=sounds).recordings().described == f"3 recordings of {sounds}"


@pytest.mark.slow
def test_the_whole_demo_of_a_folder(run, model, sounds):
    ended = run("demo", "-m", model, "--folder", sounds, "--take", 2)
    assert ended.code == Exit.DONE
    assert f"streaming 2 recordings of {sounds} over HTTP from http://127.0.0.1" in ended.out
    assert (ended.out.count("  said  "), ended.out.count("  heard ")) == (0, 2)
    assert "range requests" in ended.out


@pytest.mark.slow
def test_the_whole_demo(run, model, monkeypatch):
    monkeypatch.setattr("quest22.cli.demo.check_hub", lambda: HUB_AWAY)
    ended = run("demo", "-m", model, "--take", 3)
    assert ended.code == Exit.DONE
    assert "streaming 3 clips" in ended.out
    assert ended.out.count("  said  ") == ended.out.count("  heard ") == 3
    for part in ("3 clips · ", "word error rate", "range requests", "where the time went"):
        assert part in ended.out
    assert ended.err.startswith("quest22: ")
