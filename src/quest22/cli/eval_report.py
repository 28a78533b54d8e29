"""Prints an evaluation as a table with the worst clips word by word, or as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, TypeAlias

from rich.console import Console
from rich.table import Table
from rich.text import Text
from typing_extensions import NotRequired, TypedDict

from quest22.cli.schema_ids import SchemaId, schema_id
from quest22.cli.word_diff import aligned_lines
from quest22.errors import UsageError
from quest22.evaluation.reports import Evaluation, GroupRates, Interval, Rates, ScoredClip
from quest22.evaluation.score import ErrorRate, percent
from quest22.evaluation.word_diff import DiffSpan, Kind
from quest22.settings.languages import language_name

Rate: TypeAlias = Annotated[
    float | None, "A fraction, above 1 with many insertions; null without reference."
]
Bounds: TypeAlias = Annotated[
    Interval | None, "Confidence interval of the rate; null if it cannot be estimated."
]


class ErrorCounts(TypedDict):
    """Counts of an alignment, in words or characters."""

    reference: Annotated[int, "How many there are in the references."]
    hits: int
    substitutions: int
    deletions: int
    insertions: int


class CharacterRates(TypedDict):
    """Errors in characters."""

    cer: Rate
    cer_interval: Bounds
    characters: ErrorCounts


class CountedByCharacters(CharacterRates):
    """Clips in languages that are counted in characters."""

    clips: int


class ErrorRates(CharacterRates):
    """The errors of a group of clips."""

    clips: int
    wer: Rate
    wer_interval: Bounds
    words: ErrorCounts
    by_characters: Annotated[
        CountedByCharacters | None, "Clips that are counted in characters; null if there are none."
    ]


class BootstrapFields(TypedDict):
    """How the intervals were estimated."""

    resamples: int
    confidence: float
    seed: int


class SpanFields(TypedDict):
    """Words, or characters, that are equal or not."""

    kind: Kind
    said: str
    heard: str


class WorstClip(TypedDict):
    """A clip with many errors, counted in words or in characters."""

    id: str
    language: str | None
    wer: NotRequired[Rate]
    words: NotRequired[ErrorCounts]
    cer: NotRequired[Rate]
    characters: NotRequired[ErrorCounts]
    said: Annotated[str, "The reference, normalised."]
    heard: Annotated[str, "The transcript, normalised."]
    alignment: list[SpanFields]


class EvaluationReport(ErrorRates):
    """Error rates of a model on a dataset, or of transcripts."""

    schema: SchemaId
    normalizer: str
    bootstrap: BootstrapFields
    by: Annotated[dict[str, dict[str, ErrorRates]], "By column, then by value."]
    worst: Annotated[list[WorstClip], "Those with the most errors first."]


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


def evaluation_as_json(evaluation: Evaluation) -> EvaluationReport:
    """The evaluation as JSON values; rates are fractions, above 1 with many insertions."""
    settings = evaluation.settings
    return {
        "schema": schema_id("eval"),
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


def _rates(group: GroupRates) -> ErrorRates:
    """Clips counted in words come first; ``by_characters`` are the others, if there are any."""
    words, others = group.by_words, group.by_characters
    by_characters: CountedByCharacters | None = None
    if others.clips:
        by_characters = {"clips": others.clips, **_character_rates(others)}
    return {
        "clips": group.clips,
        "wer": words.words.rate,
        "wer_interval": words.words_interval,
        **_character_rates(words),
        "words": _counts(words.words),
        "by_characters": by_characters,
    }


def _character_rates(rates: Rates) -> CharacterRates:
    return {
        "cer": rates.characters.rate,
        "cer_interval": rates.characters_interval,
        "characters": _counts(rates.characters),
    }


def _counts(errors: ErrorRate) -> ErrorCounts:
    return {
        "reference": errors.total,
        "hits": errors.hits,
        "substitutions": errors.substitutions,
        "deletions": errors.deletions,
        "insertions": errors.insertions,
    }


class _CountedErrors(TypedDict, total=False):
    wer: Rate
    words: ErrorCounts
    cer: Rate
    characters: ErrorCounts


def _clip(clip: ScoredClip) -> WorstClip:
    by_words = clip.texts.unit == "word"
    rate, counts = clip.errors.rate, _counts(clip.errors)
    counted: _CountedErrors = (
        {"wer": rate, "words": counts} if by_words else {"cer": rate, "characters": counts}
    )
    return {
        "id": clip.key,
        "language": clip.language,
        **counted,
        "said": clip.texts.reference,
        "heard": clip.texts.hypothesis,
        "alignment": [_span(span, " " if by_words else "") for span in clip.alignment()],
    }


def _span(span: DiffSpan, space: str) -> SpanFields:
    reference, hypothesis = space.join(span.reference), space.join(span.hypothesis)
    return {"kind": span.kind, "said": reference, "heard": hypothesis}
