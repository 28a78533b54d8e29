"""The flags of ``quest22 stream --cluster``, and what is shown of all workers."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from quest22.cli.cluster_run import ClusterReporter, progress_line
from quest22.cli.exits import Exit
from quest22.cli.output_flags import ReportFlags
from quest22.runs.events import ClusterEnded, ClusterNote, ClusterProgress, PlanReady

BEGUN = ClusterProgress(340, 12, 0, 4512, 3, 12276.0, 60.0, 84.0, 4, 0, 0, 1200.0)
DONE = ClusterProgress(340, 339, 1, 9000, 3, 36000.0, 600.0, 0.0, 0, 0, 0, None)


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (
            BEGUN,
            (
                "12 of 340 units · 4,512 clips (3 failed) · 3.41 h of audio · 84× real time · "
                "4 workers · 20.0 min left"
            ),
        ),
        (
            ClusterProgress(1, 0, 0, 0, 0, 0.0, 1.0, 0.0, 1, 2, 3, None),
            "0 of 1 unit · 0 clips · 0.0 s of audio · 1 worker (2 starting, 3 waiting to start)",
        ),
        (
            DONE,
            "340 of 340 units (1 failed) · 9,000 clips (3 failed) · 10.00 h of audio · 0 workers",
        ),
    ],
)
def test_the_line_of_progress(progress: ClusterProgress, line: str) -> None:
    assert progress_line(progress) == line


def reported(capsys: pytest.CaptureFixture[str], console: Console | None = None, **flags) -> str:
    reporter = ClusterReporter(ReportFlags(**flags), "speech", console)
    reporter(PlanReady("/out", 340, 2, True))
    reporter(BEGUN)
    reporter(ClusterNote("a worker ended: its node is gone"))
    reporter(ClusterEnded("/out", BEGUN, True))
    assert reporter.interrupted
    reporter(ClusterEnded("/out", DONE, False))
    assert not reporter.interrupted
    return capsys.readouterr().err


def test_what_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    told = reported(capsys)
    assert "planned: 340 units of work in 2 data files" in told
    assert "· 84× real time ·" in told
    assert "a worker ended: its node is gone" in told
    assert "328 units left: repeat the command, or quest22 work /out" in told
    assert "quest22 retry /out" in told


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert reported(capsys, quiet=True) == ""


def test_a_terminal_has_live_lines(capsys: pytest.CaptureFixture[str]) -> None:
    screen = io.StringIO()
    reported(capsys, Console(file=screen, force_terminal=True, width=120, highlight=False))
    assert "12 of 340 units" in screen.getvalue()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--cluster", "local"), "--cluster requires --output-dir"),
        (("--cluster-workers", "2"), "--cluster-workers is about a cluster"),
        (("--unit", "1h"), "--unit is about a cluster"),
        (("--cluster", "yarn", "-o", "out"), "local, auto or ray://HOST:10001"),
        (("--cluster", "local", "-o", "out", "--take", "5"), "--take"),
        (("--cluster", "local", "-o", "out", "-f", "srt"), "jsonl or parquet"),
        (("--cluster", "local", "-o", "out", "--stats-json", "x"), "quest22 status"),
    ],
)
def test_flags_that_cannot_be(run, rows, tmp_path, monkeypatch, flags, told) -> None:
    monkeypatch.chdir(tmp_path)
    ended = run("stream", "parquet", "--data-files", rows, "-m", "nano", *flags)
    assert (ended.code, told in ended.err) == (Exit.USAGE, True), ended.err
    assert not (tmp_path / "out" / "data").exists()


def test_a_store_is_not_written_into_by_a_run_without_a_cluster(run, rows, tmp_path) -> None:
    files = ("parquet", "--data-files", rows, "-m", "nano")
    assert run("plan", *files, "--store", tmp_path).code == Exit.DONE
    ended = run("stream", *files, "-o", tmp_path)
    assert ended.code == Exit.USAGE
    assert f"quest22 work {tmp_path}" in ended.err
