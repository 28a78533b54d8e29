"""Textual forms of option values: lists, ``off``, sizes and the like.

A form reads both text from the command line and values from Python callers, so that ``--temperature
0,0.2`` and ``temperature=(0, 0.2)`` mean the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

from quest22.errors import UsageError
from quest22.records import AudioContext
from quest22.settings.languages import language_code
from quest22.settings.quantities import format_duration, format_size, parse_duration_s, parse_size

AUTO, OFF = "auto", "off"
ALL_DEVICES = "all"
EACH: Literal["each"] = "each"

Channel: TypeAlias = int | Literal["each"]
"""Which channel of a recording is transcribed; or each for itself."""


@dataclass(frozen=True, slots=True)
class Form:
    """How values of one kind are read and written.

    ``read`` takes the option's name (for its errors) and a value as a user writes it; it raises
    :class:`UsageError`. ``write`` gives a value's text on the command line, None if there is none.
    ``python_type`` is the type that Python callers may pass. A ``repeated`` flag may be given
    several times; ``read`` gets the list of its texts with ``split`` applied.
    """

    read: Callable[[str, Any], Any]
    python_type: str
    write: Callable[[Any], str | None] = str
    repeated: bool = False
    split: bool = False


def split_list(text: str) -> list[str]:
    """``en, ru`` → its parts; empty ones are dropped."""
    return [part.strip() for part in text.split(",") if part.strip()]


def split_names(texts: Iterable[str] | None) -> list[str]:
    """``["a,b", "c"]`` → ``["a", "b", "c"]``, each once: the values of a repeated flag."""
    return list(dict.fromkeys(name for text in texts or () for name in split_list(text)))


def read_numbers(name: str, value: Any) -> tuple[float, ...]:
    """``0,0.2``, one number, or several."""
    if isinstance(value, (int, float)):
        return (float(value),)
    parts = split_list(value) if isinstance(value, str) else value
    try:
        return tuple(float(part) for part in parts)
    except (TypeError, ValueError) as exc:
        raise UsageError(f"{name} is {value!r}: expected numbers such as 0 or 0,0.2,0.4") from exc


def _whole(value: Any) -> int:
    """Text or a number that is whole; ``ValueError`` for any other."""
    if isinstance(value, bool) or int(value) != float(value):
        raise ValueError
    return int(value)


_NOT_WHOLE = (TypeError, ValueError, OverflowError)


def read_threshold(name: str, value: Any) -> float | None:
    """A number; ``off`` or ``none``: None."""
    if value is None or (isinstance(value, str) and value.strip().lower() in (OFF, "none")):
        return None
    try:
        return float(value)
    except (TypeError, ValueError) as exc:
        raise UsageError(f"{name} is {value!r}: expected a number, or off") from exc


def read_count_or_auto(name: str, value: Any) -> int | None:
    """A whole number; ``auto``: None, which means that quest22 chooses."""
    if value is None or (isinstance(value, str) and value.strip().lower() == AUTO):
        return None
    try:
        return _whole(value)
    except _NOT_WHOLE as exc:
        raise UsageError(f"{name} is {value!r}: expected a whole number, or auto") from exc


def read_audio_context(name: str, value: Any) -> AudioContext | None:
    """``auto``, ``full``, or seconds; None stays None."""
    if value is None:
        return None
    if isinstance(value, str) and (word := value.strip().lower()) in (AUTO, "full"):
        return cast("AudioContext", word)
    try:
        return float(value)
    except (TypeError, ValueError) as exc:
        raise UsageError(f"{name} is {value!r}: expected auto, full or seconds") from exc


def read_stride(name: str, value: Any) -> tuple[float, float]:
    """``5`` → 5 s on both sides; ``4,2`` → 4 s before and 2 s after."""
    expected = f"{name} is {value!r}: expected seconds as one number or left,right"
    if isinstance(value, (int, float)):
        return float(value), float(value)
    parts = value.split(",") if isinstance(value, str) else value
    try:
        seconds = [float(part) for part in parts]
    except (TypeError, ValueError) as exc:
        raise UsageError(expected) from exc
    if len(seconds) not in (1, 2):
        raise UsageError(expected)
    return seconds[0], seconds[-1]


def read_language(_: str, value: str | None) -> str | None:
    """A language by code or name, as its code; ``auto``: None, which means detection."""
    if not value or value.strip().lower() == AUTO:
        return None
    return language_code(value)


def read_languages(_: str, value: str | Iterable[str] | None) -> tuple[str, ...]:
    """Languages by code or name, as codes: ``en,ru`` or several."""
    names = split_list(value) if isinstance(value, str) else value or ()
    return tuple(map(language_code, names))


def read_names(_: str, value: str | Iterable[str]) -> tuple[str, ...]:
    """One name or several."""
    return (value,) if isinstance(value, str) else tuple(value)


def read_tokens(name: str, value: Any) -> tuple[int, ...]:
    """Tokens by number: ``-1``, ``50,51``, one number, or several."""
    parts = split_list(value) if isinstance(value, str) else value
    try:
        return tuple(map(_whole, [parts] if isinstance(parts, (int, float)) else parts))
    except _NOT_WHOLE as exc:
        raise UsageError(
            f"{name} is {value!r}: expected tokens by number, such as 50 or 50,51"
        ) from exc


def _read_optional_numbers(name: str, value: Any) -> tuple[float, ...] | None:
    return None if value is None else read_numbers(name, value)


def _read_count_or_off(name: str, value: Any) -> int | None:
    number = read_threshold(name, value)
    try:
        return None if number is None else _whole(number)
    except _NOT_WHOLE as exc:
        raise UsageError(f"{name} is {value!r}: expected a whole number, or off") from exc


def read_track(name: str, value: Any) -> str | None:
    """A number from 0 as text, or a language; None stays None."""
    if value is None:
        return None
    text = str(value).strip().lower()
    is_number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if not is_number and not (
        isinstance(value, str) and re.fullmatch(r"[0-9]+|[a-z][a-z_-]+", text)
    ):
        raise UsageError(
            f"{name} is {value!r}: expected a number counted from 0, or a language such as eng"
        )
    return str(int(text)) if text.isdecimal() else text


def read_channel(name: str, value: Any) -> Channel | None:
    """A number from 0, or ``each``; None stays None."""
    text = value.strip().lower() if isinstance(value, str) else value
    if text is None or text == EACH:
        return text
    try:
        return _whole(text)
    except _NOT_WHOLE as exc:
        raise UsageError(
            f"{name} is {value!r}: expected a channel's number, counting from 0, or each"
        ) from exc


def _read_duration(name: str, value: str | float) -> float:
    return parse_duration_s(value, name) if isinstance(value, str) else value


def _read_optional_duration(name: str, value: str | float | None) -> float | None:
    return None if value is None else _read_duration(name, value)


def _write_optional_duration(value: float | None) -> str | None:
    return None if value is None else format_duration(value)


def read_range(name: str, value: Any) -> tuple[int, int] | None:
    """``4`` → 4 and 4; ``2:16``, or two numbers: the least and the most. None stays None."""
    if value is None:
        return None
    parts = value.split(":") if isinstance(value, str) else value
    try:
        numbers = [int(part) for part in ([parts] if isinstance(parts, int) else parts)]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) not in (1, 2) or not 1 <= numbers[0] <= numbers[-1]:
        raise UsageError(
            f"{name} is {value!r}: expected a number of 1 or more, or the least and the most, such "
            "as 2:16"
        )
    return numbers[0], numbers[-1]


def _write_range(value: tuple[int, int] | None) -> str | None:
    return None if value is None else ":".join(map(str, value))


def read_devices(name: str, value: Any) -> tuple[str, ...]:
    """``all``; ``0,1,3`` for GPUs by number; or devices by name, of which CPUs may repeat."""
    given = [] if value is None else [value] if isinstance(value, (str, int)) else list(value)
    words = [word.lower() for each in given for word in split_list(str(each))]
    names = tuple(f"cuda:{int(word)}" if word.isdecimal() else word for word in words)
    names = tuple("cuda:0" if each == "cuda" else each for each in names)
    if names != (ALL_DEVICES,):
        for each in names:
            if not re.fullmatch(r"cpu|mps|cuda:[0-9]+", each):
                raise UsageError(
                    f"{name} is {','.join(words)!r}: expected all, numbers of GPUs such as 0,1,3, "
                    "or names such as cuda:0,cuda:1 or cpu,cpu"
                )
            if each != "cpu" and names.count(each) > 1:
                raise UsageError(
                    f"{name} is {','.join(words)!r}: {each} is there twice, and one process uses "
                    "all of a GPU; name it once"
                )
    return names


def read_size(name: str, value: str | int) -> int:
    """``512M``, or bytes."""
    return parse_size(value, name) if isinstance(value, str) else value


def _write_or(word: str | None) -> Callable[[Any], str | None]:
    return lambda value: word if value is None else str(value)


def _write_list(values: Iterable[Any] | None) -> str | None:
    return None if values is None else ",".join(f"{value}" for value in values)


def _write_names(values: Iterable[str]) -> str | None:
    return _write_list(values) or None


def _write_stride(value: tuple[float, float]) -> str:
    left, right = value
    return f"{left:g}" if left == right else f"{left:g},{right:g}"


NUMBERS = Form(read_numbers, "float | Iterable[float]", _write_list)
TEMPERATURES = Form(_read_optional_numbers, "float | Iterable[float] | None", _write_list)
TOKENS = Form(read_tokens, "Iterable[int]", _write_list)
STRIDE = Form(read_stride, "float | tuple[float, float]", _write_stride)
THRESHOLD = Form(read_threshold, "float | None", _write_or(OFF))
COUNT_OR_OFF = Form(_read_count_or_off, "int | None", _write_or(OFF))
COUNT_OR_AUTO = Form(read_count_or_auto, "int | None", _write_or(AUTO))
AUDIO_CONTEXT = Form(read_audio_context, 'Literal["auto", "full"] | float | None', _write_or(None))
LANGUAGE = Form(read_language, "str | None", _write_or(None))
CHANNEL = Form(read_channel, 'int | Literal["each"] | None', _write_or(None))
TRACK = Form(read_track, "int | str | None", _write_or(None))
LANGUAGES = Form(read_languages, "str | Iterable[str]", _write_names)
NAMES = Form(read_names, "str | Iterable[str]", _write_names, repeated=True, split=True)
PATHS = Form(read_names, "str | Iterable[str]", _write_names, repeated=True)
DEVICES = Form(read_devices, "str | int | Iterable[str | int]", _write_names)
DURATION = Form(_read_duration, "float | str", format_duration)
OPTIONAL_DURATION = Form(_read_optional_duration, "float | str | None", _write_optional_duration)
RANGE = Form(read_range, "int | str | tuple[int, int] | None", _write_range)
SIZE = Form(read_size, "int | str", format_size)
