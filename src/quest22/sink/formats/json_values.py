"""Any value as strict JSON. Knows nothing of rows and files."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from quest22.storable import storable_text


def json_line(values: Mapping[str, Any]) -> str:
    """A line of JSON, newline included."""
    return json_text(values) + "\n"


def json_text(value: Any) -> str:
    """Strict JSON without ASCII escapes; :func:`json_value` converts types that JSON lacks."""
    return json.dumps(json_value(value), ensure_ascii=False, allow_nan=False)


def json_value(value: Any) -> Any:
    """The nearest value that JSON can hold.

    Times become ISO 8601, bytes base64, arrays lists, NaN and infinity null; anything else becomes
    its ``str``.
    """
    if isinstance(value, str):
        return storable_text(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {storable_text(str(key)): json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_value(item) for item in value]
    return _json_scalar(value)


def _json_scalar(value: Any) -> Any:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode("ascii")
    if hasattr(value, "tolist"):  # NumPy arrays and numbers
        return json_value(value.tolist())
    return storable_text(str(value))
