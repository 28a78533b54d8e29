"""Turns one row of a dataset into a Clip, or into a Failure if it holds no usable audio.

Gives rows their keys and origins. Reads no dataset and decodes nothing.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import Any, TypeAlias, cast

import numpy as np

from quest22.errors import ClipError
from quest22.records import SAMPLE_RATE_HZ, Clip, Failure, Media, Origin
from quest22.source.columns import Columns
from quest22.source.io.address import folder_of, is_url, redact, resolve
from quest22.source.io.media import media_opener
from quest22.source.io.retry import RetryingClient
from quest22.source.io.spool import SpooledMedia
from quest22.system import WINDOWS

Values: TypeAlias = Mapping[str, Any]
"""A row's values by column."""


@dataclass(frozen=True, slots=True)
class RowError:
    """Why a row could not be read; without a row number, why a whole file could not."""

    reason: str


NumberedRow: TypeAlias = tuple[int | None, Values | RowError]
"""A row's number in its data file, and its values or why they could not be read."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row: ``number`` counts from 0 in data file number ``part``.

    ``error`` says why the row, or without a number the whole file, cannot be read.
    """

    part: int
    number: int | None
    values: Mapping[str, Any]
    file: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class DatasetContext:
    """What all rows of a split share."""

    dataset: str
    split: str
    parts: int = 1
    folder: str | None = None
    revision: str | None = None
    client: RetryingClient = field(default_factory=RetryingClient, repr=False)

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
        file = None if row.file is None else redact(row.file)
        return Origin(redact(self._context.dataset), self._context.revision, file, row.number)

    def read(self, row: Row, key: str, origin: Origin) -> Clip | Failure:
        """The row's Clip; a Failure of stage ``source`` if it holds no audio."""
        if row.error is not None:
            return Failure(key, key, "source", row.error, origin)
        audio = field_of(row.values, self._columns.audio)
        try:
            media = media_of(audio, self._columns.audio, self._folder(row), self._context.client)
        except ClipError as exc:
            return Failure(key, key, exc.stage, exc.reason, origin)
        text = _field_or_none(row.values, self._columns.text)
        return Clip(
            key=key,
            name=key,
            media=media,
            origin=origin,
            reference=None if text is None else str(text),
            columns={name: field_of(row.values, name) for name in self._columns.keep},
        )

    def _key(self, row: Row) -> str | None:
        if row.error is not None:
            return None
        audio = field_of(row.values, self._columns.audio)
        row_key = _field_or_none(row.values, self._columns.id)
        if row_key is not None and str(row_key).strip():
            return str(row_key)
        path = audio.get("path") if isinstance(audio, Mapping) else audio
        if not isinstance(path, str) or not path:
            return None
        return _relative_to(redact(path), self._folder(row))

    def _folder(self, row: Row) -> str | None:
        return self._context.folder if row.file is None else folder_of(row.file)


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


def media_of(
    value: Any, column: str, folder: str | None, client: RetryingClient | None = None
) -> Media:
    """The audio in a cell: bytes, a path, a URL, or samples with their rate.

    A path may be relative to ``folder``. Raises ClipError (stage ``source``).
    """
    if isinstance(value, Mapping):
        if isinstance(value.get("bytes"), SpooledMedia):
            return cast("SpooledMedia", value["bytes"])
        if value.get("bytes"):
            return bytes(value["bytes"])
        if value.get("array") is not None:
            return _encode_samples(value["array"], value.get("sampling_rate"), column)
        value = value.get("path") if value.get("bytes") is None else None
    if isinstance(value, bytes) and value:
        return value
    if isinstance(value, str) and value:
        return _media_at(value, folder, client)
    raise ClipError(
        "source", f"the column {column!r} is empty here: expected audio bytes, a path or a URL"
    )


def _media_at(reference: str, folder: str | None, client: RetryingClient | None) -> Media:
    address = resolve(reference, folder)
    if is_url(address):
        return media_opener(address, client)
    path = Path(address)
    if not path.is_file():
        raise ClipError("source", f"no such file: {path}")
    return path


def _encode_samples(array: Any, rate_hz: Any, column: str) -> Media:
    samples = np.asarray(array, np.float32)
    if not isinstance(rate_hz, int | float) or rate_hz <= 0 or samples.ndim > 2 or not samples.size:
        raise ClipError(
            "source",
            f"the column {column!r} holds samples of shape {samples.shape} at {rate_hz!r} Hz: "
            "expected one or two dimensions and a sampling rate",
        )
    if rate_hz == SAMPLE_RATE_HZ and samples.ndim == 1:
        return samples
    import soundfile

    frames = samples.T if samples.ndim == 2 and samples.shape[0] < 9 else samples
    container = io.BytesIO()
    soundfile.write(container, frames, int(rate_hz), format="WAV", subtype="FLOAT")
    return container.getvalue()
