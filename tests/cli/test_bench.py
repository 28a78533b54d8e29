from __future__ import annotations

import json
from pathlib import Path

import pytest

from quest22.cli.main import main
from tests.support.schemas import check


def test_figures_are_shown_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = tmp_path / "figures.json"
    asked = ["--shape", "small-test", "--new-tokens", "3", "--clips", "2", "--clip-s", "2"]
    measured = ["--measures", "throughput", "--rounds", "1", "--compute-type", "float32"]
    code = main(["bench", *asked, *measured, "--json", str(written), "--quiet"])
    shown = capsys.readouterr().out
    assert code == 0
    for word in ("× real time", "quest22", "encoder", "decoder", "log-mel", "cores"):
        assert word in shown
    figures = json.loads(written.read_text())
    check("bench", figures)
    assert figures["machine"]["cores"] >= 1
    (outcome,) = figures["outcomes"]
    (result,) = outcome["results"]
    assert (outcome["measure"], result["tokens_a_window"], result["windows"]) == (
        "throughput",
        3,
        2,
    )


@pytest.mark.slow
def test_a_users_own_sound_and_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import soundfile

    from quest22.bench.clips import synthetic_clips

    soundfile.write(tmp_path / "a.wav", synthetic_clips(1, 3.0)[0], 16_000)
    flags = ["-m", "nano", "--measures", "latency,start", "--rounds", "1"]
    code = main(["bench", str(tmp_path / "a.wav"), *flags])
    shown = capsys.readouterr().out
    assert code == 0
    assert "latency: nano" in shown
    assert "first transcript after" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--shape", "huge"], "unknown shape 'huge': expected one of tiny"),
        (["--against", "vosk"], "unknown program 'vosk'"),
        (["--measures", "charm"], "unknown measure 'charm'"),
        (["--measures", "throughput,charm"], "unknown measure 'charm'"),
        (["--compute-type", "int9"], "compute type 'int9' is unknown"),
        (["--also", "int9"], "compute type 'int9' is unknown"),
        (["--threads", "0"], "threads is 0: expected 1 or more"),
        (["--batch-size", "0"], "batch_size is 0: expected 1 or more"),
    ],
)
def test_what_is_not_known_is_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "-m", "nano", *arguments, "--quiet"]) == 2
    assert message in capsys.readouterr().err
