"""Prints an evaluation as a table with the worst clips word by word, or as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from quest22.cli.word_diff import aligned_lines
from quest22.errors import UsageError
from quest22.evaluation.reports import Evaluation, GroupRates, Interval, Rates, ScoredClip
from quest22.evaluation.score import ErrorRate, percent
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
    for name in ("clips", "counted", "total", "rate", "", "CER", "", "sub", "del", "ins"):
        table.add_column(name, justify="right", no_wrap=True)
    _add_rows(table, "all", evaluation.overall(), style="bold")
    for column, groups in evaluation.groups().items():
        if column == "language" and len(groups) < 2:
            continue
        table.add_row(Text(column, "cyan"))
        for value, rates in list(groups.items())[:MAX_GROUPS]:
            label = _language(value) if column == "language" else value
            _add_rows(table, f"  {label}", rates)
        if len(groups) > MAX_GROUPS:
            table.add_row(f"  … --json shows {len(groups) - MAX_GROUPS} more", style="dim")
    return table


def _add_rows(table: Table, name: str, group: GroupRates, style: str = "") -> None:
    """A row for each unit in which the group's errors are counted."""
    for rates in group.counted():
        table.add_row(*_cells(name, rates), style=style)


def _cells(name: str, rates: Rates) -> Iterator[str | Text]:
    errors, by_words = rates.errors, rates.unit == "word"
    yield Text(name)
    yield f"{rates.clips:,}"
    yield "WER, words" if by_words else "CER, characters"
    yield f"{errors.total:,}"
    yield percent(errors)
    yield _bounds(rates.interval)
    yield percent(rates.characters) if by_words else ""
    yield _bounds(rates.characters_interval) if by_words else ""
    for count in (errors.substitutions, errors.deletions, errors.insertions):
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
    counted, unit = clip.errors, clip.texts.unit
    errors = "1 error" if counted.errors == 1 else f"{counted.errors:,} errors"
    rate = f"{'WER' if unit == 'word' else 'CER'} {percent(counted)}"
    score = f" · {errors} in {counted.total:,} {unit}s · {rate}"
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


def _rates(group: GroupRates) -> dict[str, Any]:
    """Clips counted in words come first; ``by_characters`` are the others, if there are any."""
    words, others = group.by_words, group.by_characters
    return {
        "clips": group.clips,
        "wer": words.words.rate,
        "wer_interval": words.words_interval,
        **_character_rates(words),
        "words": _counts(words.words),
        "by_characters": {"clips": others.clips, **_character_rates(others)}
        if others.clips
        else None,
    }


def _character_rates(rates: Rates) -> dict[str, Any]:
    return {
        "cer": rates.characters.rate,
        "cer_interval": rates.characters_interval,
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
    by_words = clip.texts.unit == "word"
    return {
        "id": clip.key,
        "language": clip.language,
        "wer" if by_words else "cer": clip.errors.rate,
        "words" if by_words else "characters": _counts(clip.errors),
        "said": clip.texts.reference,
        "heard": clip.texts.hypothesis,
        "alignment": [_span(span, " " if by_words else "") for span in clip.alignment()],
    }


def _span(span: DiffSpan, space: str) -> dict[str, str]:
    reference, hypothesis = space.join(span.reference), space.join(span.hypothesis)
    return {"kind": span.kind, "said": reference, "heard": hypothesis}
