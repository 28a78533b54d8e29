from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace

import pytest
from rich.console import Console

from quest22.cli.figures import length, size
from quest22.cli.report import (
    bar,
    level_lines,
    most_frequent,
    percent,
    score_lines,
    summarise,
    time_line,
    time_table,
    totals,
)
from quest22.evaluation.score import ErrorRate, Scoreboard
from quest22.evaluation.texts import TextPair
from quest22.metrics import Metrics
from quest22.runs.figures import Figures
from quest22.runs.progress_lines import clip_count, work_count
from quest22.settings.quantities import hours

FIGURES = Figures(
    clips=2,
    failures=1,
    audio_s=90.0,
    processed_s=100.0,
    elapsed_s=10.0,
    seconds={"encoder": 6.0, "wait_audio": 1.0, "wait_network": 0.5, "audio": 20.0},
    received_bytes=3.5e6,
    retries={("g", "time-out"): 1, ("h", "HTTP 503"): 2},
)


def test_totals():
    assert totals(FIGURES).plain == (
        "2 clips and 1 failed · 1.5 min of audio in 10.0 s · 10× real time (real-time factor 0.100)"
    )


def test_the_parts_add_up_to_the_whole():
    assert sum(seconds for _, seconds in FIGURES.engine_thread()) == FIGURES.elapsed_s
    assert time_line(FIGURES) == (
        "time: encoder 60%, other 25%, waiting for decoding 10%, waiting for the network 5%"
    )


def test_the_table_tells_what_ran_beside():
    screen = io.StringIO()
    Console(file=screen, width=100).print(time_table(FIGURES))
    lines = [line.split() for line in screen.getvalue().splitlines()]
    assert [lines[1][0], *lines[1][2:]] == ["encoder", "60%", "6.00", "s"]
    assert lines[-1] == ["decoding", "audio", "meanwhile", "20.00", "s"]


def test_scores_by_language():
    scores = Scoreboard()
    assert score_lines(scores) == []
    scores.add(TextPair("1", "a b", "a b", "en"))
    assert [line.plain for line in score_lines(scores)] == [
        "word error rate 0.0 % of 2 reference words"
    ]
    scores.add(TextPair("2", "да нет", "да", "ru"))
    assert score_lines(scores)[0].plain == (
        "word error rate 25.0 % of 4 reference words (English 0.0 %, Russian 50.0 %)"
    )


def test_languages_without_spaces_have_a_line_of_their_own():
    scores = Scoreboard()
    scores.add(TextPair("1", "東京です。", "東京だ", "ja"))
    assert [line.plain for line in score_lines(scores)] == [
        "character error rate 50.0 % of 4 reference characters"
    ]
    scores.add(TextPair("2", "a b", "a c", "en"))
    assert [line.plain for line in score_lines(scores)] == [
        "word error rate 50.0 % of 2 reference words (English 50.0 %)",
        "character error rate 50.0 % of 4 reference characters (Japanese 50.0 %)",
    ]


def test_a_pipe_gets_plain_lines(capsys):
    summarise(FIGURES, Scoreboard(), "stopped", verbose=True)
    first, waits, asked, last = capsys.readouterr().err.splitlines()
    assert first.startswith("quest22: stopped: 2 clips and 1 failed")
    assert waits == (
        "quest22: the engine worked 8.5 s (85%) and waited for the network 0.5 s, for the source "
        "0.0 s, for decoding 1.0 s · 3.5 MB received"
    )
    assert asked == "quest22: retried: 2 × HTTP 503 (h), 1 × time-out (g)"
    assert last.startswith("quest22: time: encoder 60%")


@pytest.mark.parametrize(
    ("elapsed_s", "verbose", "told"),
    [(10.0, False, False), (10.0, True, True), (60.0, False, True)],
)
def test_a_terminal_is_told_where_the_time_of_a_long_run_went(
    capsys, monkeypatch, elapsed_s, verbose, told
):
    monkeypatch.setenv("FORCE_COLOR", "1")
    summarise(replace(FIGURES, elapsed_s=elapsed_s), Scoreboard(), verbose=verbose)
    shown = capsys.readouterr().err
    assert "2 clips" in shown
    assert ("where the time went" in shown) is told
    assert "retried" in shown


@pytest.mark.parametrize(
    ("share", "filled"), [(0, 0), (0.5, 4), (1, 8), (2, 8), (-1, 0), (0.55, 5), (1 / 64, 1)]
)
def test_bars_have_one_width(share, filled):
    drawn = bar(share, 8).plain
    assert len(drawn) == 8
    assert len(drawn.rstrip("·")) == filled


def test_figures_of_a_fresh_meter():
    fresh = Figures.of(Metrics())
    assert (fresh.clips, fresh.real_time_factor, fresh.audio_s) == (0, None, 0.0)
    assert totals(fresh).plain.startswith("0 clips · 0.0 s of audio in 0.0 s")


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (clip_count(1), "1 clip"),
        (clip_count(1200), "1,200 clips"),
        (clip_count(3, 1200), "3 of 1,200 clips"),
        (clip_count(0, 1), "0 of 1 clip"),
        (work_count(1, 1), "1 unit of work in 1 data file"),
        (work_count(1_000, 2), "1,000 units of work in 2 data files"),
        (hours(59.9), "59.9 s"),
        (hours(90), "1.5 min"),
        (hours(4500), "1.25 h"),
        (length(9.94), "9.9 s"),
        (length(9.96), "10 s"),
        (length(59.6), "1 min 0 s"),
        (length(192), "3 min 12 s"),
        (length(3725), "1 h 2 min"),
        (size(999), "999 B"),
        (size(1500), "1.5 kB"),
        (size(3_087_000_000), "3.1 GB"),
        (size(2.5e15), "2500.0 TB"),
        (percent(ErrorRate(1, 1)), "50.0 %"),
        (percent(ErrorRate()), "–"),
    ],
)
def test_figures_in_words(made, expected):
    assert made == expected


@pytest.mark.parametrize(
    ("reasons", "lines"),
    [
        ({"a": 3}, ["3 × a"]),
        ({"a": 3, "b": 2, "c": 1}, ["3 × a", "2 × b", "1 × c"]),
        ({"a": 3, "b": 2, "c": 1, "d": 1}, ["3 × a", "2 × b", "2 × other reasons"]),
    ],
)
def test_the_most_frequent_reasons_and_the_rest(reasons, lines):
    assert most_frequent(Counter(reasons), 2) == lines


def test_clips_with_a_choice_that_nobody_made_are_counted():
    metrics = Metrics()
    metrics.count("several_tracks", 2)
    metrics.count("cancelled_mixes")
    assert level_lines(Figures.of(metrics)) == [
        "2 clips with several audio tracks: the default one was transcribed",
        "1 clip whose channels cancel when mixed: the loudest was transcribed",
    ]
    assert level_lines(FIGURES) == []
