"""Text and JSON from outside: decoded and parsed within limits, damaged text kept as it is."""

from __future__ import annotations

import codecs
import json
from typing import Any

from quest22.source.limits import (
    MAX_JSON_CONTAINERS,
    MAX_JSON_DEPTH,
    MAX_JSON_VALUES,
    LimitError,
)

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decoded(content: bytes) -> tuple[str, bool]:
    """Bytes as text, and whether all of them are valid; others become U+FFFD.

    UTF-8 unless a byte order mark says otherwise.
    """
    mark, encoding = _mark_of(content)
    content = content[len(mark) :]
    try:
        return content.decode(encoding), True
    except UnicodeDecodeError:
        return content.decode(encoding, "replace"), False


def _mark_of(content: bytes) -> tuple[bytes, str]:
    found = (mark for mark in _BYTE_ORDER_MARKS if content.startswith(mark[0]))
    return next(found, (b"", "utf-8"))


def as_named(content: bytes) -> str:
    """Bytes as text in which paths keep their bytes, whatever encoding they are in.

    What is no UTF-8 becomes lone surrogates, as Python writes names of files.
    """
    mark, encoding = _mark_of(content)
    return content[len(mark) :].decode(encoding, "surrogateescape")


def parsed_json(content: bytes) -> Any:
    """The value of a JSON text; raises ValueError if it is none, :class:`LimitError` if too large.

    A byte of ``[]`` takes up to 32 bytes in memory: lists, objects and values are counted first.
    """
    containers = content.count(b"[") + content.count(b"{")
    values = containers + content.count(b",")
    if containers > MAX_JSON_CONTAINERS or values > MAX_JSON_VALUES:
        raise LimitError(
            f"its JSON holds more than {MAX_JSON_VALUES:,} values or {MAX_JSON_CONTAINERS:,} lists "
            "and objects"
        )
    try:
        value = json.loads(as_named(content))
    except RecursionError as exc:
        raise LimitError("its JSON is nested too deeply") from exc
    if containers > MAX_JSON_DEPTH and _is_deep(value):
        raise LimitError("its JSON is nested too deeply")
    return value


def _is_deep(value: Any) -> bool:
    level = [value] if isinstance(value, list | dict) else []
    for _ in range(MAX_JSON_DEPTH):
        items = (
            item
            for parent in level
            for item in (parent.values() if isinstance(parent, dict) else parent)
        )
        level = [item for item in items if isinstance(item, list | dict)]
    return bool(level)
