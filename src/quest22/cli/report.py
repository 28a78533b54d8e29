"""The summary at the end of a run: amounts, error rate, speed, and where the time went."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from quest22.cli.exits import say
from quest22.cli.figures import PART_NAMES, WAIT_NAMES, length, size
from quest22.evaluation.score import ErrorRate, Scoreboard, percent
from quest22.evaluation.texts import Unit
from quest22.runs.figures import Figures
from quest22.runs.left_out import LeftOut
from quest22.runs.progress_lines import clip_count, speed
from quest22.runs.summary import RunStats
from quest22.settings.languages import language_name
from quest22.settings.quantities import hours

BAR_WIDTH = 28
MIN_SHARE = 0.005
SHORT_S = 60.0
REASONS_SHOWN = 5
RETRIES_SHOWN = 5


def summarise(
    figures: Figures, scores: Scoreboard, ending: str = "done", *, verbose: bool = False
) -> None:
    """Print the summary to standard error: tables on a terminal, a few plain lines in a pipe.

    On a terminal, where a short run's text stands above it, where the time went is told with
    ``verbose`` alone.
    """
    console = Console(stderr=True, highlight=False)
    if console.is_terminal:
        lines = [totals(figures), *score_lines(scores)]
        if verbose or figures.elapsed_s >= SHORT_S or figures.retries:
            lines += flow_lines(figures)
        console.print(Group(*lines))
        if verbose or figures.elapsed_s >= SHORT_S:
            console.print(time_table(figures))
        return
    say(f"{ending}: {totals(figures).plain}")
    for line in [*score_lines(scores), *flow_lines(figures)]:
        say(line.plain)
    if verbose:
        say(time_line(figures))


def totals(figures: Figures) -> Text:
    """Clips, audio, time and speed in one line."""
    factor = figures.real_time_factor
    text = Text.assemble((clip_count(figures.clips), "bold"))
    if figures.failures:
        text.append(f" and {figures.failures:,} failed", style="red")
    text.append(f" · {hours(figures.audio_s)} of audio in {hours(figures.elapsed_s)}")
    if factor:
        text.append(f" · {speed(figures)}", style="bold green")
        text.append(f" (real-time factor {factor:.3f})")
    return text


def score_lines(scores: Scoreboard) -> list[Text]:
    """The word error rate, overall and by language, if there were references.

    A line of its own has the character error rate of languages that are written without spaces.
    """
    return [_score_line(unit, errors, scores) for unit, errors in scores.overall.counted()]


def _score_line(unit: Unit, errors: ErrorRate, scores: Scoreboard) -> Text:
    line = Text(f"{unit} error rate ").append(percent(errors), style="bold")
    line.append(f" of {errors.total:,} reference {unit}s")
    languages = [
        (code, of_unit)
        for code, of_language in scores.by_language.items()
        for counted, of_unit in of_language.counted()
        if counted == unit
    ]
    if len(scores.by_language) > 1:
        parts = (f"{_language(code)} {percent(of_unit)}" for code, of_unit in languages)
        line.append(f" ({', '.join(parts)})")
    return line


def flow_lines(figures: Figures) -> list[Text]:
    """How long the engine worked, what it waited for, bytes received, and retried requests."""
    waits = ", ".join(f"for {WAIT_NAMES[name]} {time_s:.1f} s" for name, time_s in figures.waits())
    share = figures.unhindered_s / max(figures.elapsed_s, 1e-9)
    line = Text(f"the engine worked {figures.unhindered_s:.1f} s ({share:.0%}) and waited {waits}")
    if figures.received_bytes:
        line.append(f" · {size(figures.received_bytes)} received")
    lines = [line]
    retries = sorted(figures.retries.items(), key=lambda item: (-item[1], item[0]))
    if retries:
        shown = (f"{times:,} × {trouble} ({host})" for (host, trouble), times in retries)
        lines.append(Text(f"retried: {', '.join(islice(shown, RETRIES_SHOWN))}"))
    return lines


def _language(code: str | None) -> str:
    return language_name(code).title() if code else "unknown"


def reason_lines(reasons: Counter[str], most: int = REASONS_SHOWN) -> list[str]:
    """How many clips failed, by reason, the most frequent first; empty for a single failure."""
    return most_frequent(reasons, most) if sum(reasons.values()) > 1 else []


def most_frequent(reasons: Counter[str], most: int) -> list[str]:
    """A line for each of the most frequent reasons, and one for the rest."""
    named = most + (len(reasons) == most + 1)
    lines = [f"{count:,} × {reason}" for reason, count in reasons.most_common(named)]
    rest = sum(reasons.values()) - sum(count for _, count in reasons.most_common(named))
    return lines + ([f"{rest:,} × other reasons"] if rest else [])


def missing_lines(stats: RunStats) -> list[str]:
    """Which data files could not be read to their end, and why: a line for each of the first."""
    rest = stats.open_ends - len(stats.missing)
    return [*stats.missing, *([f"{rest:,} more such data files"] if rest > 0 else [])]


def left_out_lines(left_out: LeftOut) -> list[str]:
    """How many clips are damaged or lack a text, and how much sound was left out, and why."""
    lines = []
    if left_out.damaged:
        clips, missing = clip_count(left_out.damaged), length(left_out.missing_s)
        lines.append(f"{clips} damaged: {missing} of sound missing")
    if left_out.without_text:
        lines.append(f"{clip_count(left_out.without_text)} without text")
    ranked = sorted(left_out.seconds.items(), key=lambda item: -item[1])
    parts = [f"{length(seconds)} {reason}" for reason, seconds in ranked]
    return lines + ([f"left out: {', '.join(parts)}"] if parts else [])


_LEVELS = {
    "several_tracks": "with several audio tracks: the default one was transcribed",
    "cancelled_mixes": "whose channels cancel when mixed: the loudest was transcribed",
    "integer_scale": "with float samples far beyond 1: they were scaled down",
}


def level_lines(figures: Figures) -> list[str]:
    """How many clips had a track, a channel or a scale chosen for them."""
    return [f"{clip_count(count)} {_LEVELS[name]}" for name, count in figures.levels.items()]


def time_line(figures: Figures) -> str:
    """Where the time went, in one line."""
    shares = [(name, share) for name, share in figures.shares() if share >= MIN_SHARE]
    return f"time: {', '.join(f'{PART_NAMES[name]} {share:.0%}' for name, share in shares)}"


def time_table(figures: Figures) -> RenderableType:
    """Where the time went: a bar for each part of the elapsed time, then the other threads."""
    table = Table(box=None, show_header=False, padding=(0, 1), title="where the time went")
    table.title_justify, table.title_style = "left", "dim"
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(justify="right")
    table.add_column(justify="right", style="dim")
    for (name, seconds), (_, share) in zip(figures.engine_thread(), figures.shares(), strict=True):
        if share >= MIN_SHARE:
            table.add_row(PART_NAMES[name], bar(share), f"{share:.0%}", f"{seconds:.2f} s")
    for name, seconds in figures.other_threads():
        if seconds >= MIN_SHARE * figures.elapsed_s:
            label = Text(PART_NAMES[name], "dim")
            table.add_row(label, Text("meanwhile", "dim"), "", f"{seconds:.2f} s")
    return table


def bar(share: float, width: int = BAR_WIDTH) -> Text:
    """A bar of eighths of a character: ``share`` of ``width``."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    filled = "█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")
    return Text(filled, style="cyan").append("·" * (width - len(filled)), style="dim")
