"""Prints an evaluation as a table with the worst clips word by word, or as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from quest22.cli.report import percent
from quest22.cli.word_diff import aligned_lines
from quest22.errors import UsageError
from quest22.evaluation.reports import Evaluation, Interval, Rates, ScoredClip
from quest22.evaluation.score import ErrorRate
from quest22.evaluation.word_diff import DiffSpan
from quest22.settings.languages import language_name

MAX_GROUPS = 40
MAX_LINES = 30


def show_evaluation(evaluation: Evaluation, console: Console) -> None:
    """Print the rates, overall and by group, then the worst clips word by word."""
    console.print(_table(evaluation))
    console.print(Text(_method(evaluation), "dim"))
    for clip in evaluation.worst():
        console.print()
        console.print(_heading(clip))
        lines = aligned_lines(clip.alignment(), console.width)
        for line in islice(lines, MAX_LINES):
            console.print(line, soft_wrap=True)
        if next(lines, None) is not None:
            console.print(Text("  … --json shows the rest", "dim"))


def _table(evaluation: Evaluation) -> Table:
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    table.add_column("", no_wrap=True)
    for name in ("clips", "words", "WER", "", "CER", "", "sub", "del", "ins"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row(*_cells("all", evaluation.overall()), style="bold")
    for column, groups in evaluation.groups().items():
        if column == "language" and len(groups) < 2:
            continue
        table.add_row(Text(column, "cyan"))
        for value, rates in list(groups.items())[:MAX_GROUPS]:
            label = _language(value) if column == "language" else value
            table.add_row(*_cells(f"  {label}", rates))
        if len(groups) > MAX_GROUPS:
            table.add_row(f"  … --json shows {len(groups) - MAX_GROUPS} more", style="dim")
    return table


def _cells(name: str, rates: Rates) -> Iterator[str | Text]:
    yield Text(name)
    yield f"{rates.clips:,}"
    yield f"{rates.words.total:,}"
    yield percent(rates.words)
    yield _bounds(rates.words_interval)
    yield percent(rates.characters)
    yield _bounds(rates.characters_interval)
    for count in (rates.words.substitutions, rates.words.deletions, rates.words.insertions):
        yield f"{count:,}"


def _bounds(interval: Interval | None) -> str:
    return f"{100 * interval[0]:.1f}–{100 * interval[1]:.1f}" if interval else ""


def _language(value: str) -> str:
    try:
        return language_name(value).title()
    except (KeyError, UsageError):
        return value


def _method(evaluation: Evaluation) -> str:
    bootstrap = evaluation.settings.bootstrap
    normalizer = f"normalizer {evaluation.settings.normalizer}"
    if not bootstrap.resamples:
        return normalizer
    return (
        f"{normalizer}; {bootstrap.confidence:.0%} intervals from {bootstrap.resamples:,} "
        f"resamples of the clips, seed {bootstrap.seed}"
    )


def _heading(clip: ScoredClip) -> Text:
    errors = "1 error" if clip.words.errors == 1 else f"{clip.words.errors:,} errors"
    score = f" · {errors} in {clip.words.total:,} words · WER {percent(clip.words)}"
    return Text(clip.key, "bold").append(score, "not bold red")


def evaluation_as_json(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as JSON values; rates are fractions, above 1 with many insertions."""
    settings = evaluation.settings
    return {
        **_rates(evaluation.overall()),
        "normalizer": settings.normalizer,
        "bootstrap": {
            "resamples": settings.bootstrap.resamples,
            "confidence": settings.bootstrap.confidence,
            "seed": settings.bootstrap.seed,
        },
        "by": {
            column: {value: _rates(rates) for value, rates in groups.items()}
            for column, groups in evaluation.groups().items()
        },
        "worst": [_clip(clip) for clip in evaluation.worst()],
    }


def _rates(rates: Rates) -> dict[str, Any]:
    return {
        "clips": rates.clips,
        "wer": rates.words.rate,
        "wer_interval": rates.words_interval,
        "cer": rates.characters.rate,
        "cer_interval": rates.characters_interval,
        "words": _counts(rates.words),
        "characters": _counts(rates.characters),
    }


def _counts(errors: ErrorRate) -> dict[str, int]:
    return {
        "reference": errors.total,
        "hits": errors.hits,
        "substitutions": errors.substitutions,
        "deletions": errors.deletions,
        "insertions": errors.insertions,
    }


def _clip(clip: ScoredClip) -> dict[str, Any]:
    return {
        "id": clip.key,
        "language": clip.language,
        "wer": clip.words.rate,
        "words": _counts(clip.words),
        "said": clip.reference,
        "heard": clip.hypothesis,
        "alignment": [_span(span) for span in clip.alignment()],
    }


def _span(span: DiffSpan) -> dict[str, str]:
    reference, hypothesis = " ".join(span.reference), " ".join(span.hypothesis)
    return {"kind": span.kind, "said": reference, "heard": hypothesis}
