"""Makes foreign values storable in every output format: JSON lines, Parquet, captions.

Datasets hold text that is no Unicode (lone surrogates), names that are no UTF-8, numbers beyond 64
bits, records without fields and lists a thousand levels deep. Some format refuses each of them, and
would do so when all work is done. So they are replaced where a row is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

MAX_DEPTH = 32
"""Levels of lists and records in a stored value; what lies deeper is stored as JSON text."""
MAX_DECIMAL_DIGITS = 76  # of Arrow's decimal256

_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]")
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_AS_THEY_ARE = (str, bytes, datetime, date, time, timedelta, Decimal)


def storable_text(text: str) -> str:
    r"""The text as valid Unicode.

    Surrogate pairs become their character; a byte of a name that is no UTF-8 becomes ``\xe9``, as
    ``backslashreplace`` writes it; other surrogates become U+FFFD.
    """
    if _SURROGATE.search(text) is None:
        return text
    joined = _PAIR.sub(_joined_pair, text)
    return _SURROGATE.sub(_replaced_surrogate, joined)


def one_line(text: str) -> str:
    r"""A message about foreign things as one storable line: control characters are escaped."""
    return _CONTROL.sub(lambda match: repr(match.group())[1:-1], storable_text(text))


def storable(value: Any) -> Any:
    """The nearest value that all output formats can hold; values they can hold stay as they are.

    Text as in :func:`storable_text`, also in names of fields. Whole numbers beyond 64 bits become
    text, records without fields None, arrays lists, what is nested too deeply JSON text; objects of
    unknown types become their text, and None if they are media.
    """
    return _storable(value, MAX_DEPTH)


def _storable(value: Any, levels: int) -> Any:
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, int):
        return value if -(1 << 63) <= value < 1 << 63 else _as_text(value)
    if isinstance(value, Mapping):
        return _fields(value, levels - 1) if levels else _as_json(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_storable(item, levels - 1) for item in value] if levels else _as_json(value)
    return _scalar(value, levels)


def _fields(value: Mapping[Any, Any], levels: int) -> dict[str, Any] | None:
    fields: dict[str, Any] = {}
    for name, item in value.items():
        unique = first = storable_text(_as_text(name))
        count = 1
        while unique in fields:
            count += 1
            unique = f"{first}_{count}"
        fields[unique] = _storable(item, levels)
    return fields or None


def _scalar(value: Any, levels: int) -> Any:
    if isinstance(value, Decimal):
        return value if _fits_arrow(value) else str(value)
    if isinstance(value, _AS_THEY_ARE):
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if hasattr(value, "tolist"):  # NumPy's arrays and numbers
        return _storable(value.tolist(), levels)
    return None if callable(value) else storable_text(_as_text(value))


def _fits_arrow(value: Decimal) -> bool:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):  # NaN and infinity
        return False
    digits = len(value.as_tuple().digits)
    return max(digits, digits + exponent, -exponent) <= MAX_DECIMAL_DIGITS


def _as_text(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # a whole number of thousands of digits, or an object that refuses
        return f"{value:#x}" if isinstance(value, int) else type(value).__name__


def _as_json(value: Any) -> str:
    try:
        return storable_text(json.dumps(value, ensure_ascii=False, default=_as_text))
    except (RecursionError, TypeError, ValueError):
        return "…"


def _joined_pair(pair: re.Match[str]) -> str:
    return pair.group().encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def _replaced_surrogate(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else "\ufffd"
