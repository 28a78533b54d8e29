"""What Python callers give as a sound, as media: in whatever form other libraries hold sound.

Arrays and tensors are known by what they can do, so that no library of theirs is imported. Where
paths and URLs lead is the caller's (:mod:`quest22.api`).
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from os import PathLike, fsdecode
from typing import Any, BinaryIO, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from quest22.errors import ClipError, UsageError
from quest22.records import SAMPLE_RATE_HZ, Media
from quest22.source.audio_cells import media_of


class AudioDecoder(Protocol):
    """A decoder of ``datasets`` or of torchcodec: its samples have ``data`` and ``sample_rate``."""

    def get_all_samples(self) -> Any: ...


Sound: TypeAlias = (
    str
    | PathLike[str]
    | bytes
    | bytearray
    | memoryview
    | BinaryIO
    | ArrayLike
    | Mapping[str, Any]
    | tuple[Any, Any]
    | AudioDecoder
)
"""A recording, as one of

* a path or a URL; a file's bytes; an open binary file, which is read to its end;
* samples: an array, a tensor or a list, ``[samples]``, ``[samples, channels]`` or ``[channels,
  samples]`` with at most 8 channels, the shorter axis; floats in −1…1 or whole numbers of PCM.
  Alone they are at 16 kHz; with their rate in Hz, ``(samples, rate)`` or ``(rate, samples)``, they
  are resampled;
* a record as of ``datasets``, Transformers or pyannote: ``{"array", "sampling_rate"}``, ``{"raw",
  "sampling_rate"}``, ``{"waveform", "sample_rate"}``, ``{"path", "bytes"}``, or a decoder.
"""

EXPECTED = (
    "expected a path, a URL, a file's bytes, a file open in binary mode, samples at 16 kHz, "
    '(samples, rate), or {"array": samples, "sampling_rate": rate}'
)
_SUBJECT = "the sound"


def media(sound: Any) -> Media:
    """A sound that is no path, as media; a record may hold a path.

    Raises :class:`UsageError` for what is no sound, and :class:`ClipError` for a sound without
    content or with impossible values.
    """
    if isinstance(sound, memoryview) and sound.format in ("B", "b", "c"):
        sound = sound.tobytes()
    if isinstance(sound, bytes | bytearray):
        return _encoded(bytes(sound))
    if hasattr(sound, "read"):
        return _encoded(_content(sound))
    if _is_plain(sound):
        plain: Media = sound
        return plain
    if isinstance(sound, Mapping):
        return _in_record(sound)
    samples, rate_hz = _with_rate(sound)
    return media_of({"array": _array(samples), "sampling_rate": rate_hz}, _SUBJECT, None)


def address(sound: str | PathLike[str]) -> str:
    """The text of a path or URL. Raises :class:`UsageError` if it is none."""
    try:
        found = fsdecode(sound)
    except TypeError as exc:
        raise UsageError(f"{_SUBJECT} is {type(sound).__name__}, which is no path ({exc})") from exc
    if not found:
        raise UsageError(f"{_SUBJECT} is an empty path: {EXPECTED}")
    return found


def _is_plain(sound: Any) -> bool:
    return type(sound) is np.ndarray and sound.ndim == 1 and sound.dtype == np.float32


def _encoded(content: bytes) -> bytes:
    if not content:
        raise ClipError("source", f"{_SUBJECT} is empty: expected the bytes of an audio file")
    return content


def _content(file: Any) -> bytes:
    try:
        content = file.read()
    except Exception as exc:  # whatever a foreign file raises
        raise ClipError("source", f"{_SUBJECT} is a file that cannot be read: {exc!r}") from exc
    if isinstance(content, bytes | bytearray | memoryview):
        if not content:
            raise ClipError(
                "source", f"{_SUBJECT} is a file at its end: rewind it, file.seek(0), or give bytes"
            )
        return bytes(content)
    kind = "a file that is open as text" if isinstance(content, str) else type(file).__name__
    raise UsageError(f"{_SUBJECT} is {kind}: {EXPECTED}")


def _in_record(record: Mapping[str, Any]) -> Media:
    values = dict(record)
    for name in ("raw", "waveform"):  # as Transformers and pyannote call it
        if name in values:
            values["array"] = values.pop(name)
    if not values.keys() & {"array", "bytes", "path"}:
        names = ", ".join(map(str, list(values)[:5])) or "no fields"
        raise UsageError(f"{_SUBJECT} is a record with {names}: {EXPECTED}")
    if values.get("array") is not None:
        values["array"] = _array(values["array"])
    if isinstance(values.get("path"), PathLike):
        values["path"] = str(values["path"])
    return media_of(values, _SUBJECT, None)


def _with_rate(sound: Any) -> tuple[Any, Any]:
    """Samples and their rate in Hz, in either order; 16 kHz if they are alone."""
    if hasattr(sound, "get_all_samples"):
        sound = sound.get_all_samples()
    if hasattr(sound, "sample_rate") and hasattr(sound, "data"):
        return sound.data, sound.sample_rate
    if isinstance(sound, tuple | list) and len(sound) == 2:
        first, second = sound
        if _is_number(second) and _holds_samples(first):
            return first, second
        if _is_number(first) and _holds_samples(second):
            return second, first
    return sound, SAMPLE_RATE_HZ


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) or getattr(value, "shape", None) == ()


def _holds_samples(value: Any) -> bool:
    return (
        not isinstance(value, str | bytes) and not _is_number(value) and hasattr(value, "__len__")
    )


def _array(samples: Any) -> Any:
    """Samples as an array; tensors come from wherever they are. Raises :class:`UsageError`."""
    kind = type(samples).__name__
    try:
        if hasattr(samples, "detach"):  # a tensor of PyTorch
            samples = samples.detach().cpu()
            samples = samples.float() if samples.is_floating_point() else samples
        found = np.asarray(samples)
    except Exception as exc:  # whatever the library of a foreign array raises
        of = f" of {len(samples)}" if isinstance(samples, list | tuple) else ""
        raise UsageError(f"{_SUBJECT} is a {kind}{of} that is no array: {EXPECTED}") from exc
    if found.dtype.kind not in "iuf" or found.ndim == 0:
        raise UsageError(f"{_SUBJECT} is {_described(samples, kind, found)}: {EXPECTED}")
    return found


def _described(samples: Any, kind: str, found: Any) -> str:
    if isinstance(samples, list | tuple) and found.dtype.kind in "OUS":
        return f"a {kind} of {len(samples)} that are no numbers (transcribe_many takes several)"
    return kind if found.ndim == 0 else f"an array of {found.dtype}"
