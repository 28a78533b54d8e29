"""Chooses the audio, text and id columns of a dataset by type and by common names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
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
RATE_NAMES = ("sampling_rate", "sample_rate", "samplerate", "sampling_rate_hz", "sr")
OFFSET_NAMES = ("offset",)
DURATION_NAMES = ("duration",)
MANIFEST_AUDIO = "audio_filepath"
"""The audio column of NeMo's manifests, in which a duration without an offset counts as well."""


class Kind(Enum):
    """The kind of value a column holds, as far as finding audio and text requires."""

    AUDIO = "audio"
    BYTES = "bytes"
    TEXT = "text"
    NUMBER = "number"
    RECORD = "record"
    OTHER = "other"


_RANK = (Kind.AUDIO, Kind.BYTES, Kind.TEXT, Kind.RECORD, Kind.NUMBER, Kind.OTHER)


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns to read. A dot reaches into a record, as in ``json.text``.

    ``sampling_rate`` is the rate of samples without one of their own; ``offset`` and ``duration``
    are the stretch of a recording, in seconds. ``fixed`` are the roles that the user has named: in
    all others, a row or file without the column may have another one (:meth:`adapted`).
    """

    audio: str
    text: str | None = None
    id: str | None = None
    keep: tuple[str, ...] = ()
    sampling_rate: str | None = None
    offset: str | None = None
    duration: str | None = None
    fixed: frozenset[str] = frozenset()

    def needed(self, existing: Iterable[str]) -> list[str]:
        """Those of the existing top-level columns that must be read, in their order."""
        roots = {name.partition(".")[0] for name in self._named()} | set(self._named())
        return [name for name in existing if name in roots]

    def adapted(self, kinds: Mapping[str, Kind], names: Collection[str]) -> Columns:
        """The columns for a row or file with these kinds: others where the chosen are missing.

        ``names`` are those of whole columns, which alone can be taken for the audio.
        """
        audio, text, key = self.audio, self.text, self.id
        if audio not in kinds and "audio" not in self.fixed:
            whole = {name: kind for name, kind in kinds.items() if name in names}
            audio = _first_audio(whole) or audio
        others = _others(kinds, audio)
        if text is not None and text not in kinds and "text" not in self.fixed:
            text = _find_text(others) or text
        if key is not None and key not in kinds and "id" not in self.fixed:
            key = _find_id(others) or key
        return replace(self, audio=audio, text=text, id=key)

    def _named(self) -> tuple[str, ...]:
        named = (self.audio, self.text, self.id, self.sampling_rate, self.offset, self.duration)
        return tuple(name for name in (*named, *self.keep) if name)


def is_common_name(name: str) -> bool:
    """Whether this is a common name of a column with audio, a path, text or an id."""
    return name.lower() in {*AUDIO_NAMES, *PATH_NAMES, *TEXT_NAMES, *ID_NAMES}


def merge_kinds(known: dict[str, Kind], new: Mapping[str, Kind]) -> None:
    """Add what another row shows: of two kinds of a column, the one that tells more."""
    for name, kind in new.items():
        known[name] = min(known.get(name, kind), kind, key=_RANK.index)


def may_hold_audio(kinds: Mapping[str, Kind]) -> bool:
    """Whether a column is recognised as audio by its values."""
    return _audio_by_kind(kinds) is not None or Kind.AUDIO in kinds.values()


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


def choose_columns(kinds: Mapping[str, Kind], settings: DatasetSettings) -> Columns:
    """Choose the columns; those named in ``settings`` must exist.

    ``ALL_COLUMNS`` among those to keep means every column except audio and bytes.

    Raises SourceError listing the existing columns.
    """
    for option, name in _named_columns(settings):
        if name not in kinds:
            raise SourceError(f"{option}: no column {name!r}; {_list_columns(kinds)}")
    audio = settings.audio_column or _find_audio(kinds)
    others = _others(kinds, audio)
    keep = settings.keep_columns
    if ALL_COLUMNS in keep:
        keepable = {Kind.TEXT, Kind.NUMBER, Kind.RECORD, Kind.OTHER}
        found = (name for name, kind in others.items() if kind in keepable and "." not in name)
        keep = tuple(dict.fromkeys((*(name for name in keep if name != ALL_COLUMNS), *found)))
    offset = settings.offset_column or _by_name(others, OFFSET_NAMES, _NUMERIC)
    is_manifest = offset is not None or audio == MANIFEST_AUDIO
    return Columns(
        audio,
        settings.text_column or _find_text(others),
        settings.id_column or _find_id(others),
        keep,
        sampling_rate=_by_name(others, RATE_NAMES, _NUMERIC),
        offset=offset,
        duration=settings.duration_column
        or (_by_name(others, DURATION_NAMES, _NUMERIC) if is_manifest else None),
        fixed=frozenset(
            option.removeprefix("--").partition("-")[0]
            for option, _ in _named_columns(settings)
            if option != "--keep-columns"
        ),
    )


def _others(kinds: Mapping[str, Kind], audio: str) -> dict[str, Kind]:
    return {name: kind for name, kind in kinds.items() if name.partition(".")[0] != audio}


_NUMERIC = {Kind.NUMBER, Kind.TEXT, Kind.OTHER}  # OTHER: a column whose first rows are empty


def _find_text(others: Mapping[str, Kind]) -> str | None:
    return _by_name(others, TEXT_NAMES, {Kind.TEXT, Kind.OTHER})


def _find_id(others: Mapping[str, Kind]) -> str | None:
    return _by_name(others, ID_NAMES, {Kind.TEXT, Kind.NUMBER, Kind.OTHER})


def _named_columns(settings: DatasetSettings) -> list[tuple[str, str]]:
    named = (
        ("--audio-column", settings.audio_column),
        ("--text-column", settings.text_column),
        ("--id-column", settings.id_column),
        ("--offset-column", settings.offset_column),
        ("--duration-column", settings.duration_column),
        *(("--keep-columns", name) for name in settings.keep_columns if name != ALL_COLUMNS),
    )
    return [(option, name) for option, name in named if name is not None]


def _find_audio(kinds: Mapping[str, Kind]) -> str:
    typed = [name for name, kind in kinds.items() if kind is Kind.AUDIO]
    if len(typed) == 1:
        return typed[0]
    found = _audio_by_kind(kinds)
    if found is None and not typed:  # its first rows hold nothing, or something odd
        found = _by_name(kinds, (*AUDIO_NAMES, *PATH_NAMES), set(Kind))
    if found is None:
        problem = "several columns hold audio" if typed else "no column holds audio"
        raise SourceError(f"{problem}: name one with --audio-column; {_list_columns(kinds)}")
    return found


def _first_audio(kinds: Mapping[str, Kind]) -> str | None:
    """The audio column of one row or file, in which the chosen one is missing."""
    typed = (name for name, kind in kinds.items() if kind is Kind.AUDIO)
    return _audio_by_kind(kinds) or next(typed, None)


def _audio_by_kind(kinds: Mapping[str, Kind]) -> str | None:
    return (
        _by_name(kinds, AUDIO_NAMES, {Kind.AUDIO})
        or _by_name(kinds, AUDIO_NAMES, {Kind.BYTES})
        or _by_name(kinds, PATH_NAMES, {Kind.TEXT})
    )


def _by_name(kinds: Mapping[str, Kind], names: Iterable[str], accepted: set[Kind]) -> str | None:
    """The first of the common names that exists; top-level columns before record fields."""
    top = {name.lower(): name for name in reversed(list(kinds)) if "." not in name}
    inner = {name.lower().partition(".")[2]: name for name in reversed(list(kinds)) if "." in name}
    for folded in (top, inner):
        for name in names:
            if name in folded and kinds[folded[name]] in accepted:
                return folded[name]
    return None


def _list_columns(kinds: Mapping[str, Kind]) -> str:
    return "the columns are: " + ", ".join(name for name in kinds if "." not in name)
