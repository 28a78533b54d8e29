"""Chooses the audio, text and id columns of a dataset by type and by common names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from quest22.errors import SourceError
from quest22.settings import ALL_COLUMNS, DatasetSettings

AUDIO_NAMES = (
    "audio", "speech", "sound", "recording", "wav", "flac", "mp3", "opus", "ogg", "oga", "m4a",
    "aac", "aiff", "amr", "wma", "mp4", "webm", "mkv", "audio_bytes",
)  # fmt: skip
PATH_NAMES = (
    "audio", "audio_filepath", "audio_path", "audio_file", "audio_url", "file", "file_name",
    "filename", "filepath", "file_path", "path", "wav", "wav_path", "mp3", "flac", "url", "clip",
)  # fmt: skip
TEXT_NAMES = (
    "text", "sentence", "transcription", "transcript", "normalized_text", "raw_transcription",
    "raw_text", "normalized_transcription", "reference", "txt", "utterance", "caption", "label",
)  # fmt: skip
ID_NAMES = (
    "__key__", "id", "key", "segment_id", "utterance_id", "utt_id", "uttid", "sample_id",
    "clip_id", "uid", "uuid", "file_id", "audio_id",
)  # fmt: skip


class Kind(Enum):
    """The kind of value a column holds, as far as finding audio and text requires."""

    AUDIO = "audio"
    BYTES = "bytes"
    TEXT = "text"
    NUMBER = "number"
    RECORD = "record"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns to read. A dot reaches into a record, as in ``json.text``."""

    audio: str
    text: str | None = None
    id: str | None = None
    keep: tuple[str, ...] = ()

    def needed(self, existing: Iterable[str]) -> list[str]:
        """Those of the existing top-level columns that must be read, in their order."""
        roots = {name.partition(".")[0] for name in self._named()} | set(self._named())
        return [name for name in existing if name in roots]

    def _named(self) -> tuple[str, ...]:
        return tuple(name for name in (self.audio, self.text, self.id, *self.keep) if name)


def kinds_of_features(features: Mapping[str, Any]) -> dict[str, Kind]:
    """The kinds of columns that ``datasets`` has typed; fields of records come with a dot."""
    kinds: dict[str, Kind] = {}
    for name, feature in features.items():
        kinds[name] = _kind_of_feature(feature)
        if kinds[name] is Kind.RECORD and isinstance(feature, Mapping):
            kinds |= {f"{name}.{sub}": _kind_of_feature(part) for sub, part in feature.items()}
    return kinds


def kinds_of_values(row: Mapping[str, Any]) -> dict[str, Kind]:
    """The kinds of columns inferred from one row, for formats without types."""
    kinds: dict[str, Kind] = {}
    for name, value in row.items():
        kinds[name] = _kind_of_value(value)
        if kinds[name] is Kind.RECORD:
            kinds |= {f"{name}.{sub}": _kind_of_value(part) for sub, part in value.items()}
    return kinds


def _kind_of_feature(feature: Any) -> Kind:
    if type(feature).__name__ in {"Audio", "Video"}:
        return Kind.AUDIO
    if isinstance(feature, Mapping):
        return Kind.AUDIO if _holds_audio(feature) else Kind.RECORD
    dtype = str(getattr(feature, "dtype", ""))
    if "binary" in dtype:
        return Kind.BYTES
    if "string" in dtype:
        return Kind.TEXT
    return Kind.NUMBER if dtype.startswith(("int", "uint", "float")) else Kind.OTHER


def _kind_of_value(value: Any) -> Kind:
    if isinstance(value, Mapping):
        return Kind.AUDIO if _holds_audio(value) else Kind.RECORD
    if isinstance(value, bytes):
        return Kind.BYTES
    if isinstance(value, str):
        return Kind.TEXT
    return Kind.NUMBER if isinstance(value, int | float) else Kind.OTHER


def _holds_audio(fields: Iterable[str]) -> bool:
    names = set(fields)
    return {"bytes", "path"} <= names or {"array", "sampling_rate"} <= names or names == {"bytes"}


def choose_columns(kinds: dict[str, Kind], settings: DatasetSettings) -> Columns:
    """Choose the columns; those named in ``settings`` must exist.

    ``ALL_COLUMNS`` among those to keep means every column except audio and bytes.

    Raises SourceError listing the existing columns.
    """
    for option, name in _named_columns(settings):
        if name not in kinds:
            raise SourceError(f"{option}: no column {name!r}; {_list_columns(kinds)}")
    audio = settings.audio_column or _find_audio(kinds)
    others = {name: kind for name, kind in kinds.items() if name.partition(".")[0] != audio}
    textual = {Kind.TEXT, Kind.NUMBER, Kind.OTHER}  # OTHER: a column whose first rows are empty
    text = settings.text_column or _by_name(others, TEXT_NAMES, {Kind.TEXT, Kind.OTHER})
    key = settings.id_column or _by_name(others, ID_NAMES, textual)
    keep = settings.keep_columns
    if ALL_COLUMNS in keep:
        keepable = {Kind.TEXT, Kind.NUMBER, Kind.RECORD, Kind.OTHER}
        found = (name for name, kind in others.items() if kind in keepable and "." not in name)
        keep = tuple(dict.fromkeys((*(name for name in keep if name != ALL_COLUMNS), *found)))
    return Columns(audio, text, key, keep)


def _named_columns(settings: DatasetSettings) -> list[tuple[str, str]]:
    named = (
        ("--audio-column", settings.audio_column),
        ("--text-column", settings.text_column),
        ("--id-column", settings.id_column),
        *(("--keep-columns", name) for name in settings.keep_columns if name != ALL_COLUMNS),
    )
    return [(option, name) for option, name in named if name is not None]


def _find_audio(kinds: dict[str, Kind]) -> str:
    typed = [name for name, kind in kinds.items() if kind is Kind.AUDIO]
    if len(typed) == 1:
        return typed[0]
    found = (
        _by_name(kinds, AUDIO_NAMES, {Kind.AUDIO})
        or _by_name(kinds, AUDIO_NAMES, {Kind.BYTES})
        or _by_name(kinds, PATH_NAMES, {Kind.TEXT})
    )
    if found is None:
        problem = "several columns hold audio" if typed else "no column holds audio"
        raise SourceError(f"{problem}: name one with --audio-column; {_list_columns(kinds)}")
    return found


def _by_name(kinds: dict[str, Kind], names: Iterable[str], accepted: set[Kind]) -> str | None:
    """The first of the common names that exists; top-level columns before record fields."""
    top = {name.lower(): name for name in reversed(kinds) if "." not in name}
    inner = {name.lower().partition(".")[2]: name for name in reversed(kinds) if "." in name}
    for folded in (top, inner):
        for name in names:
            if name in folded and kinds[folded[name]] in accepted:
                return folded[name]
    return None


def _list_columns(kinds: Mapping[str, Kind]) -> str:
    return "the columns are: " + ", ".join(name for name in kinds if "." not in name)
