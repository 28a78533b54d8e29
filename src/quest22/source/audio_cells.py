"""Finds the sound in a cell of a dataset, whatever a cell may hold.

Sound is stored bytes, text in base64, samples with their rate, or a reference: a path or a URL. All
else is refused with what was expected and what came. Decodes no audio and reads no file.
"""

from __future__ import annotations

import base64
import binascii
import io
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote_to_bytes

import numpy as np
from numpy.typing import NDArray

from quest22.errors import ClipError
from quest22.records import SAMPLE_RATE_HZ, Media
from quest22.source.io.address import is_url, problem_of_url, resolve
from quest22.source.io.media import media_opener
from quest22.source.io.retry import RetryingClient
from quest22.source.io.spool import SpooledMedia
from quest22.source.local_files import problem_of_file, shortened

EXPECTED = "expected a path or URL, audio bytes, base64, or samples with their rate"
MAX_RATE_HZ = 768_000
MAX_CHANNELS = 8
MIN_ENCODED_CHARS = 100
"""Shorter text is a path, even if it might be base64."""
MAX_PATH_CHARS = 4_096
"""Longer text is no path; base64 between these lengths must begin as media files do."""

_REFERENCES = ("path", "url", "src")
_ENCODED = re.compile(r"[A-Za-z0-9+/_\-\r\n]+={0,2}\s*")
_DATA_URL = re.compile(r"data:([^,]*),", re.IGNORECASE)
_MEDIA_STARTS = (
    b"RIFF", b"RIFX", b"RF64", b"BW64", b"fLaC", b"OggS", b"ID3", b"FORM", b"caff", b".snd",
    b"wvpk", b"#!AMR", b"TTA1", b"MAC ", b"\x1aE\xdf\xa3", b"0&\xb2u", b"\x0bw",
)  # fmt: skip
_FULL_SCALE = {8: 2.0**7, 16: 2.0**15, 32: 2.0**31}

Reference: TypeAlias = str
"""A path or a URL."""


def media_of(
    value: Any,
    column: str,
    folder: str | None,
    client: RetryingClient | None = None,
    rate_hz: Any = None,
) -> Media:
    """The audio in a cell, which messages call ``column`` (``the column 'audio'``).

    ``rate_hz`` is what the row says of samples without a rate of their own. A path may be relative
    to ``folder``. Raises ClipError (stage ``source``).
    """
    sound = _sound_in(value, column)
    if isinstance(sound, str):
        return _media_at(sound, folder, client)
    if isinstance(sound, bytes | SpooledMedia):
        return sound
    samples, own_rate_hz = sound
    return _encoded(samples, own_rate_hz if own_rate_hz is not None else rate_hz, column)


def reference_in(value: Any) -> Reference | None:
    """The path or URL in a cell, also beside stored sound; None if there is none."""
    value = _unwrapped(value)
    if isinstance(value, Mapping):
        value = next((value[name] for name in _REFERENCES if value.get(name)), None)
    if not isinstance(value, str) or not value.strip():
        return None
    return None if _DATA_URL.match(value) or _is_encoded(value) else value


def refers_to_recording(value: Any) -> bool:
    """Whether the sound is elsewhere, so that the row may mean a stretch of it."""
    value = _unwrapped(value)
    stored = isinstance(value, Mapping) and any(
        value.get(name) is not None for name in ("bytes", "array")
    )
    return not stored and reference_in(value) is not None


def _unwrapped(value: Any) -> Any:
    """The only item of a list that holds no samples, as viewers of datasets write cells."""
    if isinstance(value, list | tuple) and len(value) == 1 and isinstance(value[0], Mapping | str):
        return value[0]
    return value


def _sound_in(value: Any, column: str) -> Reference | bytes | SpooledMedia | tuple[Any, Any]:
    """A reference, encoded audio, or samples with their rate (None if it is not stated)."""
    value = _unwrapped(value)
    if isinstance(value, Mapping):
        return _sound_in_record(value, column)
    if isinstance(value, str) and value.strip():
        return _decoded(value, column) or value
    if isinstance(value, bytes | bytearray | memoryview) and len(value):
        return bytes(value)
    if isinstance(value, list | tuple | np.ndarray) and len(value):
        return value, None
    raise _refused(value, column)


def _sound_in_record(
    record: Mapping[str, Any], column: str
) -> Reference | bytes | SpooledMedia | tuple[Any, Any]:
    stored = record.get("bytes")
    if isinstance(stored, SpooledMedia):
        return stored
    if isinstance(stored, bytes | bytearray | memoryview) and len(stored):
        return bytes(stored)
    if isinstance(stored, str) and stored.strip():
        content = _decoded(stored, column, certainly=True)
        if content:
            return content
    if isinstance(stored, list | tuple) and stored:
        return _bytes_of_numbers(stored, column)
    array = record.get("array")
    if array is not None:
        return array, record.get("sampling_rate", record.get("sample_rate"))
    path = next((record[name] for name in _REFERENCES if record.get(name)), None)
    if stored is None and isinstance(path, str) and path.strip():
        return _decoded(path, column) or path
    raise _refused(record, column)


def _refused(value: Any, column: str) -> ClipError:
    found = "is empty here" if is_empty(value) else f"holds {described(value)} here"
    return ClipError("source", f"{column} {found}: {EXPECTED}")


def is_empty(value: Any) -> bool:
    """Whether a cell holds nothing: None, blank text, no bytes, or a record of such."""
    if value is None:
        return True
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, Mapping):
        return all(is_empty(item) for item in value.values() if not isinstance(item, Mapping))
    return isinstance(value, bytes | bytearray | memoryview | list | tuple) and not len(value)


def described(value: Any) -> str:
    """A foreign value for a message: its type, and what identifies it."""
    if isinstance(value, Mapping):
        return f"a record with the fields {shortened(', '.join(map(str, list(value)[:10])))}"
    if isinstance(value, list | tuple | np.ndarray):
        return f"a list of {len(value):,}"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value):,} bytes"
    try:
        text = str(value)
    except Exception:  # a whole number of thousands of digits
        text = ""
    return f"the {type(value).__name__} {shortened(text)}"


# Text


def _is_encoded(text: str) -> bool:
    """Whether text is base64 rather than a path: of its alphabet, which has no dot, and long."""
    if len(text) < MIN_ENCODED_CHARS or _ENCODED.fullmatch(text) is None:
        return False
    if len(text) > MAX_PATH_CHARS:
        return True
    start = base64.b64decode(text[:16].replace("-", "+").replace("_", "/"))
    is_mpeg = len(start) > 1 and start[0] == 0xFF and start[1] >= 0xE0
    return is_mpeg or start.startswith(_MEDIA_STARTS) or start[4:8] == b"ftyp"


def _decoded(text: str, column: str, *, certainly: bool = False) -> bytes | None:
    """The bytes in a ``data:`` URL or in base64; None if the text is a reference."""
    match = _DATA_URL.match(text)
    if match is not None:
        content = text[match.end() :]
        if not match.group(1).lower().endswith("base64"):
            return unquote_to_bytes(content)
        text, certainly = content, True
    if not (certainly or _is_encoded(text)):
        return None
    packed = re.sub(r"\s+", "", text).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise ClipError("source", f"{column} holds damaged base64: {exc}") from exc


def _media_at(reference: str, folder: str | None, client: RetryingClient | None) -> Media:
    if len(reference) > MAX_PATH_CHARS:
        raise ClipError("source", f"the name is too long: {shortened(reference)}")
    address = resolve(reference, folder)
    is_local = not is_url(address)
    problem = problem_of_file(address) if is_local else problem_of_url(address)
    if problem is not None:
        raise ClipError("source", problem)
    return Path(address) if is_local else media_opener(address, client)


# Samples


def _bytes_of_numbers(numbers: Sequence[Any], column: str) -> bytes:
    """Encoded audio as a list of whole numbers from 0 to 255."""
    try:
        if any(isinstance(number, bool) for number in numbers[:1]):
            raise TypeError("a list of True and False")
        return bytes(numbers)
    except (TypeError, ValueError) as exc:
        raise ClipError(
            "source", f"{column} holds a list as bytes: expected numbers 0 to 255"
        ) from exc


def _encoded(array: Any, rate_hz: Any, column: str) -> Media:
    """Samples as they are if they are mono at 16 kHz, else as a WAV file."""
    samples = _samples(array, column)
    rate = _rate_hz(rate_hz, column)
    if rate == SAMPLE_RATE_HZ and samples.ndim == 1:
        return np.ascontiguousarray(samples)
    import soundfile

    container = io.BytesIO()
    soundfile.write(container, samples, rate, format="WAV", subtype="FLOAT")
    return container.getvalue()


def _rate_hz(value: Any, column: str) -> int:
    try:
        rate_hz = math.nan if isinstance(value, bool) or value is None else float(value)
    except (TypeError, ValueError, OverflowError):
        rate_hz = math.nan
    if 1 <= rate_hz <= MAX_RATE_HZ:
        return round(rate_hz)
    stated = (
        "without a sampling rate" if value is None else f"with {described(value)} as their rate"
    )
    raise ClipError(
        "source",
        f"{column} holds samples {stated}: expected a sampling rate, 1 to {MAX_RATE_HZ:,} Hz",
    )


def _samples(array: Any, column: str) -> NDArray[np.float32]:
    """Float32 in −1 to 1, ``[samples]`` or ``[samples, channels]``; whole numbers are scaled."""
    try:
        values = np.asarray(array)
    except Exception as exc:  # lists of different lengths
        raise _no_samples(array, column) from exc
    if values.dtype.kind == "O" and values.ndim == 1:
        values = _joined_rows(values, array, column)
    if values.dtype.kind not in "iuf" or values.ndim not in (1, 2) or not values.size:
        raise _no_samples(array, column)
    if values.ndim == 2 and values.shape[0] <= MAX_CHANNELS < values.shape[1]:
        values = values.T
    if values.ndim == 2 and values.shape[1] > MAX_CHANNELS:
        raise _no_samples(array, column)
    return _scaled(values, column)


def _joined_rows(values: NDArray[Any], array: Any, column: str) -> NDArray[Any]:
    """Channels that are arrays of their own; other objects are no samples."""
    if not all(isinstance(row, np.ndarray) for row in values):
        raise _no_samples(array, column)
    try:
        return np.stack(list(values))
    except ValueError as exc:
        raise _no_samples(array, column) from exc


def _no_samples(array: Any, column: str) -> ClipError:
    return ClipError(
        "source",
        f"{column} holds {described(array)} as samples: expected numbers in one or "
        f"two dimensions, at most {MAX_CHANNELS} channels",
    )


def _scaled(values: NDArray[Any], column: str) -> NDArray[np.float32]:
    """Samples on a scale of ±1.

    Unsigned bytes are centred at 128, as in WAV. Integers are those of the smallest PCM type that
    holds them, 16 bits at least, however wide the column is; floats beyond ±2 that are all whole
    are treated as such integers.
    """
    kind = values.dtype
    if kind == np.uint8:
        return (values.astype(np.float32) - np.float32(128)) / np.float32(128)
    if kind.kind == "f":
        with np.errstate(over="ignore"):  # absurd values are zeroed when they are decoded
            values = values.astype(np.float32)
        finite = values[np.isfinite(values)]
        peak = float(np.abs(finite).max(initial=0))
        if peak <= 2 or not np.array_equal(finite, np.rint(finite)):
            return values
    else:
        peak = max(abs(int(values.max())), abs(int(values.min())))
    bits = 8 if kind == np.int8 else 16 if peak <= _FULL_SCALE[16] else 32
    if peak > _FULL_SCALE[bits]:
        raise ClipError(
            "source",
            f"{column} holds samples up to {peak:,.0f}: expected −1 to 1, or whole "
            "numbers of 16 or 32 bits",
        )
    return (values / _FULL_SCALE[bits]).astype(np.float32)
