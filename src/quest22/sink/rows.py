"""A transcript as one row, the same in JSONL and Parquet. Knows nothing of files.

Our own columns come first and keep their names; a carried column with one of those names becomes
``source_<name>`` (``source_<name>_2``, … if that name exists too).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, cast

from quest22.records import (
    Confidence,
    Damage,
    DroppedSegment,
    Failure,
    Origin,
    Segment,
    Transcript,
    Word,
)
from quest22.sink.row_types import (
    ChannelField,
    ConfidenceColumn,
    ConfidenceRow,
    DamageColumn,
    DamageRow,
    DroppedColumn,
    DroppedRow,
    FailureRow,
    LanguageFields,
    OpenEndField,
    OriginRow,
    ReferenceColumn,
    SegmentRow,
    TranscriptRow,
    WordRow,
    WordsField,
)
from quest22.storable import storable, storable_text

OWN_COLUMNS = tuple(TranscriptRow.__annotations__)
"""The columns of every row, in order; carried ones come before the last."""


def row_names(columns: Iterable[str]) -> dict[str, str]:
    """Carried column → its name in a row; every name is unique."""
    names: dict[str, str] = {}
    columns = list(columns)
    used = {*OWN_COLUMNS, *columns}
    for column in columns:
        name = column if column not in OWN_COLUMNS else _unused_name(f"source_{column}", used)
        used.add(name)
        names[column] = name
    return names


def _unused_name(base: str, used: set[str]) -> str:
    name, count = base, 1
    while name in used:
        count += 1
        name = f"{base}_{count}"
    return name


def row(transcript: Transcript) -> dict[str, Any]:
    """A transcript as named values that all formats can hold; seconds are rounded to milliseconds.

    A :class:`TranscriptRow` with the carried columns in it.
    """
    own = own_columns(transcript)
    before = {name: value for name, value in own.items() if name != "origin"}
    return {**before, **_carried(transcript.columns), "origin": own["origin"]}


def own_columns(transcript: Transcript) -> TranscriptRow:
    """A row without carried columns.

    Leaves out ``reference`` if the source has none, ``dropped`` if nothing was dropped, ``damage``
    if no sound is missing, and ``confidence`` if no window was decoded.
    """
    told = transcript.reference
    reference: ReferenceColumn = {} if told is None else {"reference": storable_text(told)}
    return {
        "id": storable_text(transcript.key),
        "text": storable_text(transcript.text),
        **reference,
        "language": transcript.language,
        "language_probability": round(transcript.language_probability, 4),
        "duration": round(transcript.duration_s, 3),
        **confidence_row(transcript.confidence),
        "segments": [_segment_row(segment) for segment in transcript.segments],
        **dropped_rows(transcript.dropped),
        **damage_rows(transcript.damage),
        "origin": _origin_row(transcript.origin),
    }


def confidence_row(confidence: Confidence) -> ConfidenceColumn:
    """The column ``confidence``; empty if no window of the clip was decoded."""
    if confidence.avg_logprob is None:
        return {}
    numbers = {name: round(value, 4) for name, value in asdict(confidence).items()}
    return {"confidence": cast("ConfidenceRow", numbers)}


def dropped_rows(dropped: Iterable[DroppedSegment]) -> DroppedColumn:
    """The column ``dropped``; empty if nothing was dropped."""
    rows = [_dropped_row(segment) for segment in dropped]
    return {"dropped": rows} if rows else {}


def damage_rows(damage: Iterable[Damage]) -> DamageColumn:
    """The column ``damage``; empty if no sound is missing."""
    rows: list[DamageRow] = [
        {"start": round(each.start_s, 3), "end": round(each.end_s, 3), "reason": each.reason}
        for each in damage
    ]
    return {"damage": rows} if rows else {}


def segment_language_row(segment: Segment) -> LanguageFields:
    """A segment's language and its probability; empty if they are unknown."""
    if segment.language is None:
        return {}
    probability = round(segment.language_probability, 4)
    return {"language": segment.language, "language_probability": probability}


def channel_row(channel: int | None) -> ChannelField:
    """The field ``channel``; empty if channels were not transcribed each for itself."""
    return {} if channel is None else {"channel": channel}


def failure_row(failure: Failure) -> FailureRow:
    """A failure as named values: the clip, the stage that failed, and the reason.

    Only one that stands for the rest of its data file has ``open_end``.
    """
    open_end: OpenEndField = {"open_end": True} if failure.open_end else {}
    return {
        "id": storable_text(failure.key),
        "name": storable_text(failure.name),
        "stage": failure.stage,
        "reason": storable_text(failure.reason),
        **open_end,
        "origin": _origin_row(failure.origin),
    }


def _carried(columns: Mapping[str, Any]) -> dict[str, Any]:
    values = [storable(value) for value in columns.values()]
    names = row_names(_unique(map(storable_text, columns)))
    return dict(zip(names.values(), values, strict=True))


def _unique(columns: Iterable[str]) -> list[str]:
    """Names that differed before they were made storable, told apart by a number."""
    unique: dict[str, None] = {}
    for column in columns:
        unique[_unused_name(column, {*unique})] = None
    return list(unique)


def _origin_row(origin: Origin) -> OriginRow:
    return {
        "dataset": storable_text(origin.dataset),
        "revision": origin.revision,
        "file": None if origin.file is None else storable_text(origin.file),
        "row": origin.row,
    }


def _segment_row(segment: Segment) -> SegmentRow:
    channel = channel_row(segment.channel)
    words: WordsField = {}
    if segment.words is not None:
        words = {"words": [{**_word_row(word), **channel} for word in segment.words]}
    return {
        "start": round(segment.start_s, 3),
        "end": round(segment.end_s, 3),
        "text": segment.text,
        "avg_logprob": round(segment.avg_logprob, 4),
        "no_speech_prob": round(segment.no_speech_prob, 4),
        "compression_ratio": round(segment.compression_ratio, 4),
        "temperature": segment.temperature,
        **channel,
        **segment_language_row(segment),
        **words,
    }


def _word_row(word: Word) -> WordRow:
    return {
        "start": round(word.start_s, 3),
        "end": round(word.end_s, 3),
        "word": word.text,
        "probability": round(word.probability, 4),
    }


def _dropped_row(dropped: DroppedSegment) -> DroppedRow:
    return {
        "start": round(dropped.start_s, 3),
        "end": round(dropped.end_s, 3),
        "reason": dropped.reason,
        "text": dropped.text,
        **channel_row(dropped.channel),
    }
