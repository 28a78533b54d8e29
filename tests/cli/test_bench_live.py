from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from quest22.bench.live.measure import LiveMeasurement, OfflineFigures, with_bytes_a_session
from quest22.bench.live.peers import PEERS
from quest22.bench.live.reference import SpokenWord
from quest22.bench.live.score import Score, UtteranceEnd, WordTimes
from quest22.bench.live.summary import LiveSummary
from quest22.cli.bench_live_tables import live_table
from quest22.cli.main import main
from quest22.evaluation.score import ErrorRate
from tests.support.schemas import check


def shown(measured: list[LiveMeasurement]) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(live_table("base", with_bytes_a_session(measured)))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def a_measurement(sessions: int, peak_bytes: int) -> LiveMeasurement:
    word = WordTimes(SpokenWord("word", 1.0, 0), 1.0, 1.42, 1.9)
    score = Score((word,), (UtteranceEnd(1.0, 1.25),), 1, 1, (0,), ErrorRate(hits=19, deletions=1))
    return LiveMeasurement(
        program="quest22",
        about="0.1",
        sound="speech",
        ends="exact",
        sessions=sessions,
        seconds=60.0,
        summary=LiveSummary.of(score),
        offline=OfflineFigures(0.031, 0),
        peak_bytes=peak_bytes,
        cores=0.5,
    )


def test_a_row_has_delays_errors_and_memory():
    text = shown([a_measurement(1, 500_000_000), a_measurement(5, 520_000_000)])
    for cell in (
        "0.42 / 0.42",
        "0.90 / 0.90",
        "0.25 / 0.25",
        "5.0 / – / 3.1 %",
        "1 of 1",
        "5.0 MB",
    ):
        assert cell in text, cell
    assert "ends of words in speech: exact" in text


def test_words_that_nobody_said_are_counted():
    nothing = LiveSummary.of(Score(errors=ErrorRate(insertions=3)))
    text = shown([LiveMeasurement("quest22", "0.1", "music", "", 1, 60.0, nothing)])
    assert "3 words" in text


def test_a_failure_has_a_line():
    text = shown(
        [LiveMeasurement("other", "", "speech", "", 1, 60.0, None, failure="no such model")]
    )
    assert "other: no such model" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sessions", "none"], "--sessions 'none': expected numbers such as 1,4,8, or max"),
        (["--sessions", "0"], "--sessions '0': expected"),
        (["--sound", "birdsong"], "unknown sound 'birdsong': expected speech, silence"),
        (["--against", "vosk"], "unknown program 'vosk'"),
        (["--voices", "festival"], "unknown voice 'festival'"),
        (["--step-s", "0"], "step_s is 0"),
        (["--rounds", "0"], "--rounds is 0: expected 1 or more"),
        (["--minutes", "0"], "--minutes is 0: expected more than 0"),
        (["missing.wav"], "missing.wav is no file"),
    ],
)
def test_what_is_not_known_is_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "live", "-m", "nano", *arguments, "--quiet"]) == 2
    assert message in capsys.readouterr().err


def test_a_program_that_is_not_there_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    against = f"whisper.cpp={tmp_path / 'whisper-stream'}"
    arguments = ["--against", against, "--sound", "birdsong"]
    assert main(["bench", "live", "-m", "nano", *arguments, "--quiet"]) == 2
    assert f"skipping whisper.cpp: {tmp_path / 'whisper-stream'} not installed" in (
        capsys.readouterr().err
    )


@pytest.mark.slow
def test_a_users_recording_is_played_to_nano(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import soundfile

    silence = np.random.default_rng(1).standard_normal(32_000, dtype=np.float32) * 1e-4
    soundfile.write(tmp_path / "a.wav", silence, 16_000)
    written = tmp_path / "live.json"
    code = main(["bench", "live", str(tmp_path / "a.wav"), "-m", "nano", "--json", str(written)])
    assert code == 0
    assert "a.wav" in capsys.readouterr().out
    report = json.loads(written.read_text())
    check("bench-live", report)
    (measured,) = report["live"]
    assert measured["sound"] == "a.wav"
    assert measured["summary"]["insertions"] == 0
    assert measured["unended"] == 0


def test_bench_alone_still_measures_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "live", "--help"]) == 0
    assert "bench live [OPTIONS] [FILES]" in capsys.readouterr().out
    assert main(["bench", "--help"]) == 0
    assert "bench [OPTIONS] [SOURCE]" in capsys.readouterr().out


def test_every_program_to_compare_with_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    main(["bench", "live", "--help-all"])
    shown = capsys.readouterr().out
    assert [name for name in PEERS if name not in shown] == []
