"""Makes the tables and the picture of docs/accuracy.md from what was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.accuracy.outcomes import Outcome, OutcomeFolder, Unit, units
from benchmarks.accuracy.picture import Dot, Panel, draw
from benchmarks.accuracy.recordings import HALVES, Recording, RecordingSet
from benchmarks.accuracy.score import Score, interval, score, total
from benchmarks.accuracy.systems import BASELINE, DEFAULT, SYSTEMS, System
from benchmarks.document import filled
from quest22.settings.languages import language_name
from quest22.system.machine import describe

PAGE = Path(__file__).parents[2] / "docs" / "accuracy.md"
PICTURE = PAGE.with_suffix(".svg")
ALTERNATIVE = "Error rate against speed, a dot for each system: long recordings, then short clips"
NOTHING = "Nothing is measured yet: run `make accuracy-page`."
NOISE_PARTS = ("first", "rest")


@dataclass(frozen=True, slots=True)
class Scored:
    """One transcript and its errors."""

    set_name: str
    recording: Recording
    score: Score


@dataclass(frozen=True)
class Row:
    """All that a system did on the units that it is compared on."""

    system: System
    measured: tuple[tuple[Unit, Outcome], ...]

    @cached_property
    def scored(self) -> list[Scored]:
        return [
            Scored(
                unit.set_name,
                recording,
                score(recording.text, outcome.texts[recording.name], recording.language),
            )
            for unit, outcome in self.measured
            for recording in unit.recordings
        ]

    def score(self, belongs: Callable[[Scored], bool] = lambda _: True) -> Score:
        return total(each.score for each in self.scored if belongs(each))

    def processor_s(self, sets: Sequence[str]) -> float:
        """The time of all threads for some sets."""
        return sum(outcome.processor_s for unit, outcome in self.measured if unit.set_name in sets)

    def wall_s(self) -> float:
        return sum(outcome.wall_s for _, outcome in self.measured)

    def sound_s(self, sets: Sequence[str]) -> float:
        """How long the recordings of some sets are."""
        return sum(
            recording.duration_s
            for unit, _ in self.measured
            if unit.set_name in sets
            for recording in unit.recordings
        )

    def peak_bytes(self) -> int:
        return max(outcome.peak_bytes for _, outcome in self.measured)


@dataclass(frozen=True)
class Results:
    """What was measured of a model on sets of speech: complete rows, and why others are not."""

    model: str
    sets: tuple[RecordingSet, ...]
    rows: tuple[Row, ...]
    missing: Mapping[str, str]

    @classmethod
    def of(cls, model: str, sets: Sequence[RecordingSet], outcomes: OutcomeFolder) -> Results:
        """The rows of all systems on the units that at least half of them were measured on.

        Half, so that a set counts only once a run is through most of it. A system that was not
        measured on one of these units would look better or worse than it is: it gets no row.
        """
        every = units(sets, model, HALVES)
        found = {system.name: _found(system, every, outcomes) for system in SYSTEMS}
        known = [row for row in found.values() if any(not each.error for each in row.values())]
        compared = [
            unit
            for unit in every
            if 2 * sum(unit in row and not row[unit].error for row in known) >= len(known) > 0
        ]
        rows, missing = [], {}
        for system in SYSTEMS:
            of_system = found[system.name]
            done = [unit for unit in compared if unit in of_system and not of_system[unit].error]
            if compared == done:
                rows.append(Row(system, tuple((unit, of_system[unit]) for unit in compared)))
            else:
                missing[system.name] = _reason(list(of_system.values()), len(done), len(compared))
        return cls(model, tuple(sets), tuple(rows) if compared else (), missing)

    @property
    def used(self) -> list[RecordingSet]:
        """The sets that rows are compared on."""
        names = {unit.set_name for row in self.rows for unit, _ in row.measured}
        return [each for each in self.sets if each.name in names]

    def names(self, is_long: bool) -> list[str]:
        """The sets of long recordings, or those of short ones."""
        return [each.name for each in self.used if each.is_long == is_long]

    def row(self, name: str) -> Row | None:
        """The row of a system, if it is complete."""
        return next((row for row in self.rows if row.system.name == name), None)


def _found(system: System, every: Sequence[Unit], outcomes: OutcomeFolder) -> dict[Unit, Outcome]:
    return {unit: outcome for unit in every if (outcome := outcomes.read(system, unit))}


def _reason(outcomes: Sequence[Outcome], done: int, count: int) -> str:
    """Why a system is not compared."""
    if errors := [each.error for each in outcomes if each.error]:
        return errors[0]
    return f"measured on {done} of {count} parts of sets" if outcomes else "not measured"


def measured(
    sets: Sequence[RecordingSet], models: Sequence[str], outcomes: OutcomeFolder
) -> list[Results]:
    """The results of those models that have some."""
    results = (Results.of(model, sets, outcomes) for model in models)
    return [each for each in results if each.rows]


def sections(
    sets: Sequence[RecordingSet],
    noise: Sequence[RecordingSet],
    models: Sequence[str],
    outcomes: OutcomeFolder,
) -> dict[str, str]:
    """The content of each section of the page."""
    shown = measured(sets, models, outcomes)
    first = shown[:1]
    return {
        "picture": f"![{ALTERNATIVE}]({PICTURE.name})" if first else NOTHING,
        "summary": _joined(map(summary, shown)),
        "sets": _joined(map(by_set, first)),
        "languages": _joined(map(by_language, first)),
        "precisions": _joined(map(by_precision, shown)),
        "noise": invented(noise, models, outcomes),
        "machine": _joined(map(machine, first)),
    }


def fill(
    sets: Sequence[RecordingSet],
    noise: Sequence[RecordingSet],
    models: Sequence[str],
    outcomes: OutcomeFolder,
) -> None:
    """Write the page's tables and its picture."""
    page = PAGE.read_text(encoding="utf-8")
    for name, content in sections(sets, noise, models, outcomes).items():
        page = filled(page, name, content)
    PAGE.write_text(page, encoding="utf-8")
    for results in measured(sets, models, outcomes)[:1]:
        PICTURE.write_text(draw(panels(results)), encoding="utf-8")


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(parts) or NOTHING


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table: the first column to the left, the others to the right."""
    marks = ["---", *["--:"] * (len(headings) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (headings, marks, *rows))


def summary(results: Results) -> str:
    """All systems of a model in one table, and those that are not in it."""
    base = results.row(BASELINE)
    sound_s = results.rows[0].sound_s([each.name for each in results.used])
    words = results.rows[0].score().errors.words.total
    lines = [
        f"**{Path(results.model).name}**: {sound_s / 60:.1f} minutes of sound, {words:,} words.\n",
        table(
            (
                *("system", "long %", "short %", "all % (95 % interval)", "lost / twice"),
                *("processor s", f"× {BASELINE}", "wall s", "peak MB"),
            ),
            (_summary_row(row, results, base) for row in results.rows if _is_mode(row)),
        ),
    ]
    return "\n".join([*lines, *_absent(results.missing)])


def _absent(missing: Mapping[str, str]) -> Iterator[str]:
    """The systems that are not compared, by the reason."""
    for reason in dict.fromkeys(missing.values()):
        names = ", ".join(f"`{name}`" for name, why in missing.items() if why == reason)
        yield f"\nLeft out, {reason}: {names}."


def _is_mode(row: Row) -> bool:
    return not row.system.is_precision


def _summary_row(row: Row, results: Results, base: Row | None) -> tuple[str, ...]:
    long, short = results.names(is_long=True), results.names(is_long=False)
    every = row.score()
    processor_s = row.processor_s([*long, *short])
    return (
        _label(row),
        rate(row.score(lambda each: each.set_name in long)),
        rate(row.score(lambda each: each.set_name in short)),
        f"{rate(every)}{_interval(row)}",
        f"{every.lost} / {every.twice}",
        _seconds(processor_s),
        _times(base.processor_s([*long, *short]) if base else None, processor_s),
        _seconds(row.wall_s()),
        f"{row.peak_bytes() / 1e6:.0f}",
    )


def _label(row: Row) -> str:
    return f"**{row.system.label}**" if row.system.name == DEFAULT else row.system.label


def _times(base_s: float | None, seconds: float) -> str:
    return f"{base_s / seconds:.1f}" if base_s and seconds else "–"


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.1f}"


def _interval(row: Row) -> str:
    bounds = interval([each.score for each in row.scored])
    return f" ({100 * bounds[0]:.1f}–{100 * bounds[1]:.1f})" if bounds else ""


def rate(found: Score) -> str:
    """Errors per hundred words; per hundred characters where a language has no spaces."""
    texts = [
        f"{100 * (errors.rate or 0):.2f}{'' if unit == 'word' else ' of characters'}"
        for unit, errors in found.errors.counted()
    ]
    return ", ".join(texts) or "–"


def by_set(results: Results) -> str:
    """Error rates of each set, a row a system."""
    used = results.used
    size = [results.rows[0].score(_in_set(each.name)).errors for each in used]
    counts = [f"{sum(errors.total for _, errors in each.counted()):,}" for each in size]
    return table(
        ("errors in %", *(f"{each.name}{' (long)' * each.is_long}" for each in used)),
        [
            ("*words*", *counts),
            *(
                (_label(row), *(rate(row.score(_in_set(each.name))) for each in used))
                for row in results.rows
                if _is_mode(row)
            ),
        ],
    )


def _in_set(name: str) -> Callable[[Scored], bool]:
    return lambda each: each.set_name == name


def by_language(results: Results) -> str:
    """Error rates of each language, a row a system."""
    heard = {each.recording.language for each in results.rows[0].scored}
    languages = sorted(heard, key=lambda language: language or "~")
    size = [results.rows[0].score(_in_language(each)).errors for each in languages]
    counts = [f"{sum(errors.total for _, errors in each.counted()):,}" for each in size]
    return table(
        ("errors in %", *(_language(each) for each in languages)),
        [
            ("*words*", *counts),
            *(
                (_label(row), *(rate(row.score(_in_language(each))) for each in languages))
                for row in results.rows
                if _is_mode(row)
            ),
        ],
    )


def _language(code: str | None) -> str:
    return language_name(code).capitalize() if code else "unknown"


def _in_language(language: str | None) -> Callable[[Scored], bool]:
    return lambda each: each.recording.language == language


def by_precision(results: Results) -> str:
    """The default in each precision."""
    exact = results.row(f"{DEFAULT}-float32")
    rows = [row for row in results.rows if row.system.is_precision or row.system.name == DEFAULT]
    return f"**{Path(results.model).name}**\n\n" + table(
        (
            *("precision", "long %", "short %", "all % (95 % interval)", "lost / twice"),
            *("processor s", "× float32", "wall s", "peak MB"),
        ),
        (
            (_precision(row), *_summary_row(row, results, exact)[1:])
            for row in sorted(rows, key=lambda row: row.system.name)
        ),
    )


def _precision(row: Row) -> str:
    used = row.measured[0][1].about.rpartition(", ")[2]
    asked = row.system.compute_type
    return f"`{asked}`" if asked else f"**default**: `{used}`"


def invented(noise: Sequence[RecordingSet], models: Sequence[str], outcomes: OutcomeFolder) -> str:
    """Words an hour in sound without speech, a row a system and model."""
    rows = [
        (f"{system.label}, {Path(model).name}", *cells)
        for model in models
        for system in SYSTEMS
        if (cells := list(_invented_cells(system, model, noise, outcomes)))
    ]
    if not rows:
        return NOTHING
    return table(("words an hour", "heard", *(each.name for each in noise)), rows)


def _invented_cells(
    system: System, model: str, noise: Sequence[RecordingSet], outcomes: OutcomeFolder
) -> Iterator[str]:
    """How much of each recipe a system heard at most, and its words an hour for each."""
    counts = []
    for each in noise:
        found = [
            (unit, outcome)
            for unit in units([each], model, system.noise)
            if (outcome := outcomes.measured(system, unit))
        ]
        words = sum(len(text.split()) for _, outcome in found for text in outcome.texts.values())
        counts.append((words, sum(r.duration_s for unit, _ in found for r in unit.recordings)))
    if any(seconds for _, seconds in counts):
        yield f"{max(seconds for _, seconds in counts) / 60:.0f} min"
        for words, seconds in counts:
            yield f"{3600 * words / seconds:.0f}" if seconds else "–"


def panels(results: Results) -> list[Panel]:
    """The picture of long recordings, and that of short ones."""
    kinds = (("Long recordings", True), ("Short clips", False))
    name = Path(results.model).name
    return [
        Panel(f"{title}, {name}", tuple(_dots(results, results.names(is_long=is_long))))
        for title, is_long in kinds
    ]


def _dots(results: Results, names: Sequence[str]) -> Iterator[Dot]:
    for row in results.rows:
        errors = row.score(lambda each: each.set_name in names).errors.words
        processor_s = row.processor_s(names)
        if _is_mode(row) and errors.rate is not None and processor_s:
            speed = row.sound_s(names) / processor_s
            yield Dot(row.system.label, speed, 100 * errors.rate, row.system.is_ours)


def machine(results: Results) -> str:
    """The processor, and the programs' versions and precisions."""
    here = describe()
    versions = dict.fromkeys(row.measured[0][1].about for row in results.rows)
    threads = results.rows[0].measured[0][1].threads
    return (
        f"Machine: {here['processor']}, {here['cores']} cores, {' '.join(here['features'])}; "
        f"{threads} thread{'s' * (threads != 1)} each; {'; '.join(versions)}."
    )
