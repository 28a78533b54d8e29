"""One row of a dataset to one Clip, or to the Failure that stands in its place.

Knows columns and addresses; does not read datasets and decodes nothing.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from quest22.errors import ClipError
from quest22.records import SAMPLE_RATE_HZ, Clip, Failure, Media, Origin
from quest22.source.columns import Columns
from quest22.source.io.address import folder_of, is_url, redact, resolve
from quest22.source.io.media import media_opener
from quest22.source.io.retry import RetryingClient
from quest22.source.io.spool import Kept


@dataclass(frozen=True, slots=True)
class Row:
    """A row and its place: ``number`` counts from 0 in the ``part``-th data file.

    ``fault`` says why the row cannot be read; without a number it is the whole file.
    """

    part: int
    number: int | None
    values: Mapping[str, Any]
    file: str | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class DatasetContext:
    """What all rows of a dataset share."""

    dataset: str
    split: str
    parts: int = 1
    folder: str | None = None
    revision: str | None = None
    network: RetryingClient = field(default_factory=RetryingClient, repr=False)

    def address(self, row: Row) -> str:
        """A row's number as a key: the same however the dataset is sharded or shuffled."""
        part = f"-{row.part:05d}" if self.parts > 1 else ""
        return f"{self.split}{part}" + ("" if row.number is None else f"-{row.number:06d}")


class KeyDeduplicator:
    """Makes keys unique in bounded memory: a repeated one gets the row's place appended.

    A Bloom filter of 16 MiB remembers the keys. What it wrongly takes for a repetition (fewer than
    one key in a million up to five million rows) is given a suffix that it did not need.
    """

    _BITS = 1 << 27
    _PROBES = 7

    def __init__(self) -> None:
        self._bits = bytearray(self._BITS // 8)

    def unique(self, key: str, place: str) -> str:
        """``key``, or ``key@place`` if ``key`` has been given out before."""
        if not self.give(key):
            return key
        self.give(f"{key}@{place}")
        return f"{key}@{place}"

    def give(self, key: str) -> bool:
        """Remember a key; True if it was known. All that matters are the keys given out."""
        digest = hashlib.blake2b(key.encode(errors="surrogatepass"), digest_size=4 * self._PROBES)
        seen = True
        for probe in np.frombuffer(digest.digest(), np.uint32).tolist():
            byte, mask = (probe % self._BITS) >> 3, 1 << (probe & 7)
            seen = seen and bool(self._bits[byte] & mask)
            self._bits[byte] |= mask
        return seen


class RowReader:
    """Turns the rows of one dataset into clips."""

    def __init__(self, place: DatasetContext, columns: Columns, given: Iterable[str] = ()) -> None:
        """``given`` are keys that an earlier part of the run has given out."""
        self._place = place
        self._columns = columns
        self._keys = KeyDeduplicator()
        for key in given:
            self._keys.give(key)

    def name(self, row: Row) -> tuple[str, Origin]:
        """The row's key and origin; to be asked once for every row, in their order."""
        address = self._place.address(row)
        return self._keys.unique(self._key(row) or address, address), self.origin(row)

    def may_be(self, row: Row, key: str) -> bool:
        """Whether a row can have got this key, whatever came before it."""
        address = self._place.address(row)
        name = self._key(row) or address
        return key in {name, f"{name}@{address}"}

    def name_again(self, row: Row, key: str) -> str | None:
        """The key of a row that had one when it failed; None if it cannot be the same row.

        It is the same, but for a row that could not be read then: that gets its own.
        """
        if row.fault is not None or self.may_be(row, key):
            return key
        address = self._place.address(row)
        if key not in {address, f"{address}@{address}"}:
            return None
        return self._keys.unique(self._key(row) or address, address)

    def origin(self, row: Row) -> Origin:
        """Where a row is from."""
        file = None if row.file is None else redact(row.file)
        return Origin(redact(self._place.dataset), self._place.revision, file, row.number)

    def read(self, row: Row, key: str, origin: Origin) -> Clip | Failure:
        """The row's Clip; a Failure of stage ``source`` if it holds no sound."""
        if row.fault is not None:
            return Failure(key, key, "source", row.fault, origin)
        sound = field_of(row.values, self._columns.audio)
        try:
            media = media_of(sound, self._columns.audio, self._folder(row), self._place.network)
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
        if row.fault is not None:
            return None
        sound = field_of(row.values, self._columns.audio)
        named = _field_or_none(row.values, self._columns.id)
        if named is not None and str(named).strip():
            return str(named)
        path = sound.get("path") if isinstance(sound, Mapping) else sound
        if not isinstance(path, str) or not path:
            return None
        return _below(redact(path), self._folder(row))

    def _folder(self, row: Row) -> str | None:
        return self._place.folder if row.file is None else folder_of(row.file)


def field_of(values: Mapping[str, Any], name: str) -> Any:
    """A column's value, or with a dot a record's field; None where there is none."""
    if name in values:
        return values[name]
    root, _, rest = name.partition(".")
    inner = values.get(root)
    return field_of(inner, rest) if rest and isinstance(inner, Mapping) else None


def _field_or_none(values: Mapping[str, Any], name: str | None) -> Any:
    return None if name is None else field_of(values, name)


def _below(path: str, folder: str | None) -> str:
    """A path without the folder that it lies in, which may differ from machine to machine."""
    return path.removeprefix(f"{folder}/") if folder else path


def media_of(
    value: Any, column: str, folder: str | None, network: RetryingClient | None = None
) -> Media:
    """The sound in a cell: bytes, a path, a URL, or samples with their rate.

    A relative path is taken from ``folder``. Raises ClipError (stage ``source``).
    """
    if isinstance(value, Mapping):
        if isinstance(value.get("bytes"), Kept):
            return cast("Kept", value["bytes"])
        if value.get("bytes"):
            return bytes(value["bytes"])
        if value.get("array") is not None:
            return _sampled(value["array"], value.get("sampling_rate"), column)
        value = value.get("path") if value.get("bytes") is None else None
    if isinstance(value, bytes) and value:
        return value
    if isinstance(value, str) and value:
        return _referred(value, folder, network)
    raise ClipError(
        "source", f"the column {column!r} is empty here: expected audio bytes, a path or a URL"
    )


def _referred(reference: str, folder: str | None, network: RetryingClient | None) -> Media:
    address = resolve(reference, folder)
    if is_url(address):
        return media_opener(address, network)
    path = Path(address)
    if not path.is_file():
        raise ClipError("source", f"no such file: {path}")
    return path


def _sampled(array: Any, rate_hz: Any, column: str) -> Media:
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

    channels_last = samples.T if samples.ndim == 2 and samples.shape[0] < 9 else samples
    container = io.BytesIO()
    soundfile.write(container, channels_last, int(rate_hz), format="WAV", subtype="FLOAT")
    return container.getvalue()
