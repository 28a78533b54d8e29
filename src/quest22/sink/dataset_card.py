"""The dataset card of published transcripts: what they were made of, how, and what came out.

Knows the run's plan and counts. The same run gives the same card: no dates, no speeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from quest22.sink.run_counts import Counts

if TYPE_CHECKING:
    import pyarrow as pa

MOST_REASONS = 20
_TOP = ("dataset", "dataset_revision", "config", "split", "model", "model_revision", "weights")
_SILENT = (*_TOP, "quest22", "push_to_hub", "formats")
_HUB_CODES = {"jw": "jv"}
"""Whisper's name for Javanese is not the ISO 639 one."""
_PART_OF = {
    "buffer_": "shuffle",
    "seed": "shuffle",
    "prepend_": "word_timestamps",
    "append_": "word_timestamps",
    "vad_": "vad",
}
"""Settings, by how their names begin, that decide nothing unless another is on."""


@dataclass(frozen=True, slots=True)
class RunDescription:
    """What is told of a run: its plan and its command, nothing secret in them.

    ``license`` and ``languages`` are those that the source's own card names.
    """

    repository: str
    plan: Mapping[str, Any]
    command: str
    split: str
    license: str | None = None
    languages: tuple[str, ...] = field(default=())


def card(told: RunDescription, counts: Counts, schema: pa.Schema, *, finished: bool) -> str:
    """The text of README.md, metadata first."""
    return f"---\n{_metadata(told, counts, schema)}\n---\n\n{_text(told, counts, finished)}\n"


def _metadata(told: RunDescription, counts: Counts, schema: pa.Schema) -> str:
    from datasets import DatasetInfo, Features
    from datasets.info import DatasetInfosDict
    from huggingface_hub import DatasetCardData

    files = [{"split": told.split, "path": f"data/{told.split}-*.parquet"}]
    data = DatasetCardData(
        language=_languages(told, counts) or None,
        license=told.license,
        task_categories=["automatic-speech-recognition"],
        tags=["quest22", "whisper", "machine-generated"],
        source_datasets=_source_on_hub(told),
        configs=[{"config_name": "default", "data_files": files}],
    )
    features = DatasetInfo(features=Features.from_arrow_schema(schema))
    DatasetInfosDict({"default": features}).to_dataset_card_data(data)
    return str(data.to_yaml()).strip()


def _languages(told: RunDescription, counts: Counts) -> list[str]:
    if told.plan.get("task") == "translate":
        return ["en"]
    heard = [_HUB_CODES.get(code, code) for code in counts.main_languages()]
    return list(told.languages) or heard


def _source_on_hub(told: RunDescription) -> list[str] | None:
    return [str(told.plan["dataset"])] if told.plan.get("dataset_revision") else None


def _text(told: RunDescription, counts: Counts, finished: bool) -> str:
    state = "" if finished else "The run is not finished: more transcripts will follow.\n\n"
    return (
        f"# {told.repository.rpartition('/')[2]}\n\n"
        f"{_opening(told)}\n\n{state}"
        f"## Contents\n\n{_table(_contents(counts))}\n\n"
        f"{_references(counts)}"
        f"{_failures(counts)}"
        f"## Columns\n\n{_COLUMNS}\n\n"
        f"## How it was made\n\n{_table(_made_of(told))}\n\n"
        f"Settings: {_settings(told.plan)}.\n\n"
        f"```\n{told.command}\n```"
    )


_COLUMNS = """\
`id` is the row's key in the source, `text` the transcript, `reference` the text that the source \
gives, `language` and `language_probability` what the model heard or was told, `duration` the \
length of the sound in seconds, `confidence` how sure the model was, `segments` stretches of the \
text with their times where they were asked for, `dropped` stretches that gave no text and why, \
and `origin` the row's place in the source. Other columns are the source's own. The sound itself \
is not included."""


def _opening(told: RunDescription) -> str:
    name = str(told.plan.get("dataset"))
    revision = told.plan.get("dataset_revision")
    source = f"[{name}](https://huggingface.co/datasets/{name})" if revision else f"`{name}`"
    return (
        f"Transcripts of the speech in {source}, made by the model `{told.plan.get('model')}` with "
        f"quest22 {told.plan.get('quest22')}. They were written by a machine and not corrected by "
        "hand."
    )


def _contents(counts: Counts) -> Iterable[tuple[str, str]]:
    yield "Transcripts", f"{counts.transcripts:,}"
    yield "Hours of sound", f"{counts.audio_s / 3600:,.2f}"
    yield "Failed clips", f"{counts.failures:,}"
    if counts.words.rate is not None:
        yield "Word error rate", f"{counts.words.rate:.2%}"


def _references(counts: Counts) -> str:
    words = counts.words
    if words.rate is None:
        return ""
    return (
        f"The error rate is that of {words.pairs:,} transcripts against the source's own texts "
        f"({words.total:,} words: {words.substitutions:,} substituted, {words.deletions:,} left "
        f"out, {words.insertions:,} added), both in lower case and without punctuation.\n\n"
    )


def _failures(counts: Counts) -> str:
    if not counts.failures:
        return ""
    most = sorted(counts.reasons.items(), key=lambda item: (-item[1], item[0]))
    listed = [(_line(reason), f"{count:,}") for reason, count in most[:MOST_REASONS]]
    rest = sum(count for _, count in most[MOST_REASONS:])
    listed += [("other reasons", f"{rest:,}")] if rest else []
    return (
        "## Clips that failed\n\nThey are listed one by one in `failures.jsonl`.\n\n"
        f"{_table(listed, ('Reason', 'Clips'))}\n\n"
    )


def _made_of(told: RunDescription) -> Iterable[tuple[str, str]]:
    names = {
        "dataset": "Source",
        "dataset_revision": "Source revision",
        "config": "Configuration",
        "split": "Split",
        "model": "Model",
        "model_revision": "Model revision",
        "weights": "Fingerprint of the weights",
    }
    for key, name in names.items():
        if told.plan.get(key) is not None:
            yield name, f"`{_line(str(told.plan[key]))}`"
    yield "Program", f"quest22 {told.plan.get('quest22')}"


def _settings(plan: Mapping[str, Any]) -> str:
    told = {name: value for name, value in plan.items() if name not in _SILENT}
    shown = [
        f"`{name}={_line(str(value))}`"
        for name, value in sorted(told.items())
        if value not in (None, False, "", [], ()) and not _idle(name, plan)
    ]
    return ", ".join(shown)


def _idle(name: str, plan: Mapping[str, Any]) -> bool:
    whole = (plan.get(whole) for begin, whole in _PART_OF.items() if name.startswith(begin))
    return any(value in (None, False, "off") for value in whole)


def _table(rows: Iterable[tuple[str, str]], head: tuple[str, str] = ("", "")) -> str:
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {value} |" for name, value in rows)])


def _line(text: str) -> str:
    """Foreign text inside a table: one line, nothing that ends a cell or begins a tag."""
    flat = " ".join(text.split()).replace("`", "'")
    return flat.replace("|", "\\|").replace("<", "&lt;")[:300]
