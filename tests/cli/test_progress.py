from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from quest22.cli.progress import (
    CLIPS_SHOWN,
    EventDisplay,
    LiveDisplay,
    PlainDisplay,
    RunInfo,
    SilentDisplay,
    choose_display,
    shares,
)
from quest22.metrics import Metrics
from quest22.records import Partial, Segment
from quest22.runs.events import ResultReady, ResultsEnded, ResultsStarted
from quest22.runs.figures import Figures
from quest22.runs.progress_lines import progress_line
from quest22.runtime.progress import ClipProgress
from tests.support.results import failure, transcript


def figures(**changes):
    values = {
        "clips": 12,
        "failures": 0,
        "audio_s": 100.0,
        "processed_s": 120.0,
        "elapsed_s": 4.0,
        "seconds": {"encoder": 2.0, "decoder": 1.0, "audio": 9.0},
    }
    return Figures(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "total", "line"),
    [
        ({}, None, "12 clips · 2.0 min of audio · 30× real time"),
        (
            {"failures": 2},
            56,
            "12 of 56 clips (2 failed) · 2.0 min of audio · 30× real time · 12.0 s left",
        ),
        ({}, 12, "12 of 12 clips · 2.0 min of audio · 30× real time"),
        ({}, 5, "12 of 5 clips · 2.0 min of audio · 30× real time"),
        ({"clips": 1, "processed_s": 6.0}, None, "1 clip · 6.0 s of audio · 1.5× real time"),
        ({"clips": 0, "processed_s": 0.0}, None, "0 clips · 0.0 s of audio · starting"),
        ({"processed_s": 9000.0}, None, "12 clips · 2.50 h of audio · 2250× real time"),
    ],
)
def test_the_line(changes, total, line):
    assert progress_line(figures(**changes), total) == line


def test_shares_are_those_of_the_engine_thread():
    assert shares(figures()).plain.strip() == "encoder 50% · decoder 25% · other 25%"


def test_plain_lines_follow_the_run(capsys):
    metrics = Metrics()
    metrics.count("clips", 3)
    display = PlainDisplay(RunInfo("talks → nano", total=9), metrics, intervals_s=(0.001, 0.001))
    with display:
        err = ""
        while "3 of 9 clips" not in err:
            err += capsys.readouterr().err
    assert err.startswith("quest22: talks → nano\n")


def test_failures_are_said_up_to_a_number(capsys):
    display = PlainDisplay(RunInfo("x", failures_in_file=True), Metrics())
    for index in range(CLIPS_SHOWN + 5):
        display.before(failure(f"{index}.wav"))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "quest22: 0.wav: not transcribed (audio): no sound in it"
    assert len(lines) == CLIPS_SHOWN + 1
    assert lines[-1] == "quest22: more failures are in failures.jsonl"


@pytest.mark.parametrize(("in_file", "lines"), [(True, 0), (False, 1)])
def test_quiet_says_only_what_no_file_keeps(capsys, in_file, lines):
    with SilentDisplay(RunInfo("x", failures_in_file=in_file)) as display:
        display.before(failure())
        display.before(transcript())
    assert len(capsys.readouterr().err.splitlines()) == lines


def test_live_lines_on_a_terminal():
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80, color_system=None)
    metrics = Metrics()
    metrics.count("clips", 3)
    with LiveDisplay(RunInfo("talks", total=9), metrics, console) as display:
        display.before(transcript(text="The last words."))
    text = screen.getvalue()
    for part in ("talks", "3 of 9 clips", "The last words."):
        assert part in text


def test_texts_on_a_terminal_have_a_heading():
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80, color_system=None)
    with LiveDisplay(RunInfo("x", texts="headed"), Metrics(), console) as display:
        display.before(transcript("talk.mp3"))
    assert "talk.mp3 · en · 4.5 s" in screen.getvalue()


def at(position_s=200.0, duration_s=3730.0, *, committed=(), leading=True, name="talk.mp3"):
    return ClipProgress(name, position_s, duration_s, Partial(committed, " and"), leading)


@pytest.mark.parametrize(
    ("total", "progress", "line"),
    [
        (1, at(), "03:20 of 1:02:10 · 30× real time · 2.0 min left"),
        (1, at(duration_s=None), "03:20 · 30× real time"),
        (1, at(200.0, 200.0), "03:20 of 03:20 · 30× real time"),
        (
            5,
            at(),
            "12 of 5 clips · talk.mp3 at 03:20 of 1:02:10 · 2.0 min of audio · 30× real time",
        ),
        (5, at(30.0, 40.0), "12 of 5 clips · 2.0 min of audio · 30× real time"),
        (1, None, "12 of 1 clip · 2.0 min of audio · 30× real time"),
    ],
)
def test_the_line_of_long_recordings(total, progress, line):
    assert progress_line(figures(), total, progress) == line


def test_a_long_recording_is_followed_on_a_terminal():
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80, color_system=None)
    segment = Segment(0.0, 2.0, " Hello there", language="en")
    display = EventDisplay(RunInfo("x"), quiet=False, console=console)
    display(ResultsStarted(Metrics(), total=1))
    display(at(committed=(segment,)))
    display(at(300.0, leading=False, name="other.mp3"))
    display(ResultsEnded())
    text = screen.getvalue()
    assert "03:20 of 1:02:10" in text
    assert "Hello there and" in text
    assert "other.mp3" not in text


def test_a_text_that_grows_has_one_heading_before_it():
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80, color_system=None)
    segment = Segment(0.0, 2.0, " Hello there", language="en")
    with LiveDisplay(RunInfo("x", texts="headed"), Metrics(), console) as display:
        display.progressed(at())
        display.progressed(at(committed=(segment,)))
        display.progressed(at(committed=(segment, segment)))
        display.before(transcript("talk.mp3"))
        display.before(transcript("next.mp3"))
    assert screen.getvalue().count("talk.mp3 · en") == 1
    assert "next.mp3 · en · 4.5 s" in screen.getvalue()


def test_a_pipe_is_not_told_of_a_single_clip(capsys):
    metrics = Metrics()
    with PlainDisplay(RunInfo("talk", total=1), metrics, intervals_s=(0.001, 0.001)) as display:
        display.progressed(at())
        time.sleep(0.05)
    assert capsys.readouterr().err == "quest22: talk\n"


@pytest.mark.parametrize(
    ("terminal", "quiet", "kind"),
    [(True, False, LiveDisplay), (False, False, PlainDisplay), (True, True, SilentDisplay)],
)
def test_the_display_suits_the_place(terminal, quiet, kind):
    console = Console(file=io.StringIO(), force_terminal=terminal)
    assert type(choose_display(RunInfo("x"), Metrics(), quiet=quiet, console=console)) is kind


def test_a_display_follows_events(capsys):
    display = EventDisplay(RunInfo("talks → nano"), quiet=False)
    display(ResultReady(failure("early.wav")))
    assert capsys.readouterr().err == ""
    display(ResultsStarted(Metrics(), total=2))
    display(ResultReady(failure("bad.wav")))
    display(ResultsEnded())
    assert capsys.readouterr().err.splitlines() == [
        "quest22: talks → nano",
        "quest22: bad.wav: not transcribed (audio): no sound in it",
    ]
