"""Turns one row of a dataset into a Clip, or into a Failure if it holds no usable audio.

Gives rows their keys and origins. Reads no dataset and decodes nothing.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PureWindowsPath
from typing import Any, TypeAlias

import numpy as np

from quest22.errors import ClipError
from quest22.records import Clip, Failure, Origin
from quest22.source.audio_cells import (
    described,
    is_empty,
    media_of,
    reference_in,
    refers_to_recording,
)
from quest22.source.columns import Columns, Kind, kinds_of_values
from quest22.source.io.address import HIDDEN, folder_of, is_url, redact
from quest22.source.io.error_kinds import reason_of
from quest22.source.io.retry import RetryingClient
from quest22.source.limits import MAX_KEY_CHARS
from quest22.storable import one_line, storable, storable_text
from quest22.system import WINDOWS

MAX_STRETCH_S = 1e9

_log = logging.getLogger(__name__)

Values: TypeAlias = Mapping[str, Any]
"""A row's values by column."""


@dataclass(frozen=True, slots=True)
class RowError:
    """Why a row could not be read."""

    reason: str


@dataclass(frozen=True, slots=True)
class OpenEnd:
    """Why a data file could not be read to its end: how many rows are missing is unknown."""

    reason: str


NumberedRow: TypeAlias = tuple[int, Values | RowError | OpenEnd]
"""A row's number in its data file, and its values or why they could not be read."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row: ``number`` counts from 0 in data file number ``part``.

    ``error`` says why the row cannot be read. ``open_end``: the row stands for all from there on,
    without a number for the whole file.
    """

    part: int
    number: int | None
    values: Mapping[str, Any]
    file: str | None = None
    error: str | None = None
    open_end: bool = False


@dataclass(frozen=True, slots=True)
class DatasetContext:
    """What all rows of a split share."""

    dataset: str
    split: str
    parts: int = 1
    folder: str | None = None
    revision: str | None = None
    client: RetryingClient = field(default_factory=RetryingClient, repr=False)
    file_names: Mapping[str, str] = field(default_factory=dict)

    def file_name(self, row: Row) -> str | None:
        """A row's data file as origins name it."""
        return row.file and storable_text(self.file_names.get(row.file) or redact(row.file))

    def row_id(self, row: Row) -> str:
        """Split, file and row number as a key: independent of sharding and shuffling."""
        part = f"-{row.part:05d}" if self.parts > 1 else ""
        return f"{self.split}{part}" + ("" if row.number is None else f"-{row.number:06d}")


class KeyDeduplicator:
    """Makes keys unique in bounded memory: a repeated key gets the row's id appended.

    A Bloom filter of 16 MiB remembers the keys. A false positive (fewer than one key in a million
    up to five million rows) gets a suffix that it did not need.
    """

    _BITS = 1 << 27
    _PROBES = 7

    def __init__(self) -> None:
        self._bits = bytearray(self._BITS // 8)

    def unique(self, key: str, row_id: str) -> str:
        """``key``, or ``key@row_id`` if ``key`` was used before."""
        if not self.add(key):
            return key
        self.add(f"{key}@{row_id}")
        return f"{key}@{row_id}"

    def add(self, key: str) -> bool:
        """Remember a key; True if it was known."""
        digest = hashlib.blake2b(key.encode(errors="surrogatepass"), digest_size=4 * self._PROBES)
        seen = True
        for probe in np.frombuffer(digest.digest(), np.uint32).tolist():
            byte, mask = (probe % self._BITS) >> 3, 1 << (probe & 7)
            seen = seen and bool(self._bits[byte] & mask)
            self._bits[byte] |= mask
        return seen


class RowReader:
    """Turns the rows of one dataset into clips."""

    def __init__(
        self, context: DatasetContext, columns: Columns, used_keys: Iterable[str] = ()
    ) -> None:
        """``used_keys`` are the keys of rows that an earlier process of the run has read."""
        self._context = context
        self._columns = columns
        self._keys = KeyDeduplicator()
        for key in used_keys:
            self._keys.add(key)

    def identify(self, row: Row) -> tuple[str, Origin]:
        """The row's key and origin; call it once for each row, in order."""
        row_id = self._context.row_id(row)
        return self._keys.unique(self._key(row) or row_id, row_id), self.origin(row)

    def may_have_key(self, row: Row, key: str) -> bool:
        """Whether this can be the row's key, whatever rows preceded it."""
        row_id = self._context.row_id(row)
        name = self._key(row) or row_id
        if "?" in key:  # an earlier version kept some of an address' query
            key, name = key.partition("?")[0], name.partition("?")[0]
        return key in {name, f"{name}@{row_id}"}

    def key_on_retry(self, row: Row, key: str) -> str | None:
        """The key of a row that failed under ``key``; None if it cannot be the same row.

        A row that could not be read when it failed had no key of its own and gets one now.
        """
        if row.error is not None or self.may_have_key(row, key):
            return key
        row_id = self._context.row_id(row)
        if key not in {row_id, f"{row_id}@{row_id}"}:
            return None
        return self._keys.unique(self._key(row) or row_id, row_id)

    def origin(self, row: Row) -> Origin:
        """The dataset, revision, file and row number of a row."""
        context = self._context
        name = context.file_name(row)
        return Origin(redact(context.dataset), context.revision, name, row.number)

    def read(self, row: Row, key: str, origin: Origin) -> Clip | Failure:
        """The row's Clip; a Failure of stage ``source`` if it holds no audio, or anything odd."""
        if row.error is not None:
            reason = f"{row.error}; {_missing(row)}" if row.open_end else row.error
            return replace(_failure(key, "source", reason, origin), open_end=row.open_end)
        try:
            return self._clip(row, key, origin)
        except ClipError as exc:
            return _failure(key, exc.stage, exc.reason, origin)
        except Exception as exc:  # whatever foreign values cause is the row's trouble
            _log.debug("row %s", key, exc_info=True)
            return _failure(key, "source", reason_of(exc, "the row cannot be read"), origin)

    def _clip(self, row: Row, key: str, origin: Origin) -> Clip:
        values, columns = row.values, self._columns_of(row)
        audio = field_of(values, columns.audio)
        rate_hz = _field_or_none(values, columns.sampling_rate)
        named = f"the column {columns.audio!r}"
        media = media_of(audio, named, self._folder(row), self._context.client, rate_hz)
        offset_s, duration_s = (
            _stretch(values, columns) if refers_to_recording(audio) else (0, None)
        )
        return Clip(
            key=key,
            name=key,
            media=media,
            origin=origin,
            reference=_reference(_field_or_none(values, columns.text)),
            columns=storable({name: field_of(values, name) for name in columns.keep}) or {},
            offset_s=offset_s,
            duration_s=duration_s,
        )

    def _columns_of(self, row: Row) -> Columns:
        """The columns, with others in place of those that this row lacks."""
        values, chosen = row.values, self._columns
        if not is_empty(field_of(values, chosen.audio)) and all(
            name is None or name.partition(".")[0] in values for name in (chosen.text, chosen.id)
        ):
            return chosen
        kinds = kinds_of_values(values)
        if is_empty(field_of(values, chosen.audio)):
            kinds = {
                name: kind for name, kind in kinds.items() if not is_empty(field_of(values, name))
            }
            kinds |= dict.fromkeys((name for name in values if name not in kinds), Kind.OTHER)
            kinds.pop(chosen.audio, None)
        return chosen.adapted(kinds, values)

    def _key(self, row: Row) -> str | None:
        """The row's own key; None if it has none, or none that can serve as one."""
        if row.error is not None:
            return None
        try:
            key = self._own_key(row)
        except Exception:  # as for :meth:`read`, which will tell
            _log.debug("the key of row %s", self._context.row_id(row), exc_info=True)
            return None
        return key if key is None or len(key) <= MAX_KEY_CHARS else None

    def _own_key(self, row: Row) -> str | None:
        columns = self._columns_of(row)
        row_key = _field_or_none(row.values, columns.id)
        if row_key is not None and str(row_key).strip():
            return storable_text(str(row_key))
        path = reference_in(field_of(row.values, columns.audio))
        shown = path and redact(path).partition(HIDDEN)[0]
        return shown and storable_text(_relative_to(shown, self._folder(row)))

    def _folder(self, row: Row) -> str | None:
        return self._context.folder if row.file is None else folder_of(row.file)


def _missing(row: Row) -> str:
    """What an open end leaves unread."""
    if not row.number:
        return "none of its rows was read, and how many there are is unknown"
    return f"an unknown number of rows after the first {row.number:,} is missing"


def field_of(values: Mapping[str, Any], name: str) -> Any:
    """The value of a column, or of a record's field (``a.b``); None if there is none."""
    if name in values:
        return values[name]
    root, _, rest = name.partition(".")
    inner = values.get(root)
    return field_of(inner, rest) if rest and isinstance(inner, Mapping) else None


def _field_or_none(values: Mapping[str, Any], name: str | None) -> Any:
    return None if name is None else field_of(values, name)


def _relative_to(path: str, folder: str | None) -> str:
    """A path relative to ``folder`` if it is in there: keys are the same on every machine."""
    if WINDOWS and not is_url(path):
        path = PureWindowsPath(path).as_posix()
    return path.removeprefix(f"{folder}/") if folder else path


def _failure(key: str, stage: str, reason: str, origin: Origin) -> Failure:
    return Failure(key, key, stage, one_line(reason), origin)


def _reference(text: Any) -> str | None:
    """A reference text; numbers are words like any other, NaN is how tables write nothing."""
    if text is None or (isinstance(text, float) and math.isnan(text)):
        return None
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    return storable_text(str(text))


def _stretch(values: Mapping[str, Any], columns: Columns) -> tuple[float, float | None]:
    """Where in its recording a row begins and how long it is, in seconds; None: to the end."""
    offset_s = _seconds(values, columns.offset)
    duration_s = _seconds(values, columns.duration)
    return offset_s or 0.0, duration_s or None


def _seconds(values: Mapping[str, Any], column: str | None) -> float | None:
    value = _field_or_none(values, column)
    if is_empty(value) or (isinstance(value, float) and math.isnan(value)):
        return None
    try:
        seconds = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if not 0 <= seconds < MAX_STRETCH_S:
        raise ClipError(
            "source", f"the column {column!r} holds {described(value)}: expected seconds, 0 or more"
        )
    return seconds
