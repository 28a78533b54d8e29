"""The dataset card of published transcripts: their source, how they were made, and the results.

The same run gives the same card, so it holds no dates and no speeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from quest22.evaluation.score import ErrorRate, percent
from quest22.evaluation.texts import Unit
from quest22.sink.run_counts import RunCounts

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN_REASONS = 20
_MADE_FROM = {
    "dataset": "Source",
    "dataset_revision": "Source revision",
    "config": "Configuration",
    "split": "Split",
    "model": "Model",
    "model_revision": "Model revision",
    "weights": "Fingerprint of the weights",
}
"""Fields of the plan that have a row of their own, and the row's name."""
_HIDDEN_SETTINGS = (*_MADE_FROM, "quest22", "push_to_hub", "formats")
_HUB_CODES = {"jw": "jv"}
"""Whisper's code for Javanese is not the ISO 639 one."""
_DEPENDENT_SETTINGS = {
    "buffer_": "shuffle",
    "seed": "shuffle",
    "prepend_": "word_timestamps",
    "append_": "word_timestamps",
    "vad_": "vad",
}
"""Prefix of a setting's name → the setting without which it has no effect."""


@dataclass(frozen=True, slots=True)
class RunDescription:
    """What the card says of a run: its plan and its command, both without secrets.

    ``license`` and ``languages`` come from the source's own card. ``has_errors``: rows that failed
    are among the others, with the column ``error``; ``failed_units`` are missing altogether.
    """

    repository: str
    plan: Mapping[str, Any]
    command: str
    split: str
    license: str | None = None
    languages: tuple[str, ...] = field(default=())
    has_errors: bool = False
    failed_units: int = 0

    def with_source(self, source: Mapping[str, Any]) -> RunDescription:
        """With ``license`` and ``languages`` as the card of the source has them."""
        named = source.get("languages") or ()
        languages = (named,) if isinstance(named, str) else tuple(str(code) for code in named)
        licence = source["license"] if isinstance(source.get("license"), str) else None
        return replace(self, license=licence, languages=languages)


def card(run: RunDescription, counts: RunCounts, schema: pa.Schema, *, finished: bool) -> str:
    """The text of README.md, metadata first."""
    return f"---\n{_metadata(run, counts, schema)}\n---\n\n{_text(run, counts, finished)}\n"


def _metadata(run: RunDescription, counts: RunCounts, schema: pa.Schema) -> str:
    from datasets import DatasetInfo, Features
    from datasets.info import DatasetInfosDict
    from huggingface_hub import DatasetCardData

    files = [{"split": run.split, "path": f"data/{run.split}-*.parquet"}]
    data = DatasetCardData(
        language=_languages(run, counts) or None,
        license=run.license,
        task_categories=["automatic-speech-recognition"],
        tags=["quest22", "whisper", "machine-generated"],
        source_datasets=_source_on_hub(run),
        configs=[{"config_name": "default", "data_files": files}],
    )
    features = DatasetInfo(features=Features.from_arrow_schema(schema))
    DatasetInfosDict({"default": features}).to_dataset_card_data(data)
    return str(data.to_yaml()).strip()


def _languages(run: RunDescription, counts: RunCounts) -> list[str]:
    if run.plan.get("task") == "translate":
        return ["en"]
    detected = [_HUB_CODES.get(code, code) for code in counts.main_languages()]
    return list(run.languages) or detected


def _source_on_hub(run: RunDescription) -> list[str] | None:
    return [str(run.plan["dataset"])] if run.plan.get("dataset_revision") else None


def _text(run: RunDescription, counts: RunCounts, finished: bool) -> str:
    state = "" if finished else "The run is not finished: more transcripts will follow.\n\n"
    return (
        f"# {run.repository.rpartition('/')[2]}\n\n"
        f"{_introduction(run)}\n\n{state}"
        f"## Contents\n\n{_table(_contents(run, counts))}\n\n"
        f"{_error_rates(counts)}"
        f"{_failures(run, counts)}"
        f"## Columns\n\n{_ERROR_COLUMN if run.has_errors else ''}{_COLUMNS}\n\n"
        f"## How it was made\n\n{_table(_made_from(run))}\n\n"
        f"Settings: {_settings(run.plan)}.\n\n"
        f"```\n{run.command}\n```"
    )


_ERROR_COLUMN = """\
`error` says of a row that could not be transcribed why; such a row has no `text`. """

_COLUMNS = """\
`id` is the row's key in the source, `text` the transcript, `reference` the source's own text, \
`language` and `language_probability` the language that was detected or set, `duration` the length \
of the audio in seconds, `confidence` the model's confidence, `segments` the parts of the text \
with their times if timestamps were on, `dropped` the parts of the audio that gave no text and \
why, `damage` the places where sound is missing, and `origin` the row's location in the source. \
All other columns are the source's own. The audio itself is not included."""


def _introduction(run: RunDescription) -> str:
    name = str(run.plan.get("dataset"))
    revision = run.plan.get("dataset_revision")
    source = f"[{name}](https://huggingface.co/datasets/{name})" if revision else f"`{name}`"
    return (
        f"Transcripts of the speech in {source}, made by the model `{run.plan.get('model')}` with "
        f"quest22 {run.plan.get('quest22')}. They are machine-generated and have not been "
        "corrected by hand."
    )


def _contents(run: RunDescription, counts: RunCounts) -> Iterable[tuple[str, str]]:
    yield "Transcripts", f"{counts.transcripts:,}"
    yield "Hours of audio", f"{counts.audio_s / 3600:,.2f}"
    yield "Failed clips", f"{counts.failures:,}"
    if counts.open_ends:
        yield "Data files that could not be read to their end", f"{counts.open_ends:,}"
    if run.failed_units:
        yield "Units of work that failed, whose rows are missing", f"{run.failed_units:,}"
    for unit, errors in counts.errors.counted():
        yield f"{unit.capitalize()} error rate", percent(errors)


def _error_rates(counts: RunCounts) -> str:
    return "".join(_error_rate(unit, errors) for unit, errors in counts.errors.counted())


def _error_rate(unit: Unit, errors: ErrorRate) -> str:
    which = "" if unit == "word" else " in languages written without spaces"
    return (
        f"The {unit} error rate compares {errors.pairs:,} transcripts with the source's own texts"
        f"{which} ({errors.total:,} {unit}s: {errors.substitutions:,} substituted, "
        f"{errors.deletions:,} deleted, {errors.insertions:,} inserted), after Whisper's "
        "normalisation.\n\n"
    )


def _failures(run: RunDescription, counts: RunCounts) -> str:
    if not counts.failures and not counts.open_ends:
        return ""
    ranked = sorted(counts.reasons.items(), key=lambda item: (-item[1], item[0]))
    rows = [(_line(reason), f"{count:,}") for reason, count in ranked[:SHOWN_REASONS]]
    rest = sum(count for _, count in ranked[SHOWN_REASONS:])
    rows += [("other reasons", f"{rest:,}")] if rest else []
    where = (
        "Their rows have an `error`" if run.has_errors else "`failures.jsonl` lists them one by one"
    )
    return f"## Failed clips\n\n{where}.\n\n{_table(rows, ('Reason', 'Clips'))}\n\n"


def _made_from(run: RunDescription) -> Iterable[tuple[str, str]]:
    for key, name in _MADE_FROM.items():
        if run.plan.get(key) is not None:
            yield name, f"`{_line(str(run.plan[key]))}`"
    yield "Program", f"quest22 {run.plan.get('quest22')}"


def _settings(plan: Mapping[str, Any]) -> str:
    settings = {name: value for name, value in plan.items() if name not in _HIDDEN_SETTINGS}
    shown = [
        f"`{name}={_line(str(value))}`"
        for name, value in sorted(settings.items())
        if value not in (None, False, "", [], ()) and _has_effect(name, plan)
    ]
    return ", ".join(shown)


def _has_effect(name: str, plan: Mapping[str, Any]) -> bool:
    switches = (
        plan.get(switch)
        for prefix, switch in _DEPENDENT_SETTINGS.items()
        if name.startswith(prefix)
    )
    return all(value not in (None, False, "off") for value in switches)


def _table(rows: Iterable[tuple[str, str]], head: tuple[str, str] = ("", "")) -> str:
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {value} |" for name, value in rows)])


def _line(text: str) -> str:
    """Text from outside for a table cell: one line that cannot end the cell or open a tag."""
    flat = " ".join(text.split()).replace("`", "'")
    return flat.replace("|", "\\|").replace("<", "&lt;")[:300]
