"""How far a run is, shown to callers in Python."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

import quest22
from quest22 import Transcriber, progress
from quest22.metrics import Metrics
from quest22.progress import LineView, NotebookView, ProgressReport, TerminalView, with_progress
from quest22.records import Partial
from quest22.runs.events import ResultReady, ResultsEnded, ResultsStarted
from quest22.runtime.progress import ClipProgress
from tests.support.recordings import NANO_IS_HERE, SAMPLES, recordings
from tests.support.results import failure, transcript

real = pytest.mark.skipif(not NANO_IS_HERE, reason="nano and the samples are not built")


class Shown:
    """A view that keeps what it is to show."""

    every_s = 0.0

    def __init__(self) -> None:
        self.shown: list[tuple[str, float | None]] = []
        self.closed = False

    def show(self, line: str, share: float | None) -> None:
        self.shown.append((line, share))

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    view = Shown()
    monkeypatch.setattr(progress, "choose_view", lambda: view)
    return view


def at(position_s: float, *, leading: bool = True) -> ClipProgress:
    return ClipProgress("talk.mp3", position_s, 100.0, Partial(), leading)


def test_a_report_follows_the_clip_whose_result_is_next() -> None:
    view = Shown()
    report = ProgressReport(view, total=4)
    report.progressed(at(50.0))
    report.progressed(at(90.0, leading=False))
    report.came(transcript())
    report.came(failure())
    report.close()
    assert [share for _, share in view.shown] == [0.125, 0.25, 0.5, 0.5]
    assert "talk.mp3 at 00:50 of 01:40" in view.shown[0][0]
    assert view.shown[-1][0].startswith("1 of 4 clips (1 failed) · 4.5 s of audio")
    assert view.closed


def test_the_share_of_an_unknown_number_is_unknown() -> None:
    view = Shown()
    ProgressReport(view).came(failure())
    assert view.shown[0][1] is None


def test_a_view_is_not_shown_more_often_than_it_wants() -> None:
    view = Shown()
    view.every_s = 1e9
    report = ProgressReport(view)
    for _ in range(3):
        report.came(transcript())
    assert len(view.shown) == 1
    report.close()
    assert len(view.shown) == 2


def test_events_of_a_run_into_a_folder(shown: Shown) -> None:
    told: list[Any] = []
    tell = with_progress(told.append)
    events = [ResultsStarted(Metrics(), 2), ResultReady(transcript()), at(1.0), ResultsEnded()]
    for event in events:
        tell(event)
    assert told == events
    assert (len(shown.shown), shown.closed) == (3, True)


def test_in_a_notebook_the_cell_shows_one_bar_that_changes() -> None:
    calls: list[dict[str, str]] = []
    handle = SimpleNamespace(update=lambda data, raw: calls.append(data))

    def display(data: dict[str, str], *, raw: bool, display_id: bool) -> Any:
        calls.append(data)
        return handle

    view = NotebookView(display)
    view.show("<1 clip>", None)
    view.show("2 of 4 clips", 0.5)
    view.close()
    assert [each["text/plain"] for each in calls] == ["<1 clip>", "2 of 4 clips"]
    assert "&lt;1 clip&gt;" in calls[0]["text/html"]
    assert 'value="0.5000"' in calls[1]["text/html"]
    assert "value" not in calls[0]["text/html"]


@pytest.mark.parametrize(
    ("ipython", "is_notebook"),
    [
        (None, False),
        (SimpleNamespace(get_ipython=lambda: None), False),
        (SimpleNamespace(get_ipython=SimpleNamespace), False),
    ],
)
def test_a_terminal_is_no_notebook(
    ipython: Any, is_notebook: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    assert (progress.notebook_display() is not None) is is_notebook


@pytest.mark.parametrize(("is_terminal", "kind"), [(True, TerminalView), (False, LineView)])
def test_a_terminal_has_a_bar_and_a_pipe_lines(
    is_terminal: bool, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(isatty=lambda: is_terminal))
    assert isinstance(progress.choose_view(), kind)


def test_a_narrow_terminal_shows_one_line() -> None:
    console = Console(width=40, force_terminal=True)
    with console.capture() as captured:
        console.print(progress._row("03:20 of 1:02:10 · 14× real time · 4.2 min left", 0.5))
    assert len(captured.get().splitlines()) == 1


def test_a_pipe_gets_nothing_of_a_short_run(capsys: pytest.CaptureFixture[str]) -> None:
    view = LineView()
    view.show("1 clip", None)
    assert capsys.readouterr().err == ""
    view.show("2 clips", None)
    assert capsys.readouterr().err == "quest22: 2 clips\n"
    assert view.every_s == pytest.approx(5.0)


@real
def test_recordings_and_datasets_show_how_far_they_are(shown: Shown) -> None:
    sounds = recordings("en", 2)
    with Transcriber("nano", language="en") as whisper:
        quiet = [each.text for each in whisper.transcribe_many(sounds)]
        assert not shown.shown
        assert [each.text for each in whisper.transcribe_many(sounds, progress=True)] == quiet
        assert shown.shown[-1] == (shown.shown[-1][0], 1.0)
        assert whisper.transcribe(sounds[0], progress=True).text == quiet[0]
        rows = whisper.stream("parquet", data_files=str(SAMPLES[0]), take=2, progress=True)
        assert len(list(rows)) == 2
        assert shown.shown[-1][0].startswith("2 clips")


@real
def test_a_run_into_a_folder_shows_how_far_it_is(shown: Shown, tmp_path: Any) -> None:
    with Transcriber("nano", language="en") as whisper:
        options = {"data_files": str(SAMPLES[0]), "take": 2, "progress": True}
        whisper.stream_to(tmp_path / "out", "parquet", **options)
    assert shown.closed
    assert quest22.status(tmp_path / "out").transcripts == 2


def test_options_are_refused_at_once_with_progress_too(shown: Shown) -> None:
    if NANO_IS_HERE:
        with Transcriber("nano") as whisper, pytest.raises(quest22.UsageError):
            whisper.transcribe_many([], progress=True, language="klingon")
    assert not shown.shown
