"""One kind of value in each column of JSON lines, so that tables can be read from them.

pyarrow refuses a file whose column holds numbers first and text later. Which kind a column has is
decided by its first values; what does not fit is written as JSON text, under another name if the
column itself does not hold text. Decided at the row, by the rows before it. Knows no files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from quest22.sink.formats.json_values import json_text, json_value

MAX_FIELDS = 1000
"""Different fields of the records in one column; a record with others is written as JSON text."""

Kind: TypeAlias = Any
"""None (unknown), ``"boolean"``, ``"number"``, ``"string"``, ``{"list": Kind}`` or
``{"record": {name: Kind}}``, as JSON values."""


class MisfitError(ValueError):
    """Values of two kinds in one place."""


class JsonColumns:
    """The kinds of the columns of a file; ``known`` are those of the rows before, by name."""

    def __init__(self, known: Mapping[str, Kind] | None = None) -> None:
        self.kinds: dict[str, Kind] = dict(known or {})

    def fit(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a row as JSON values, each of its column's kind."""
        fitted: dict[str, Any] = {}
        for name, value in columns.items():
            fitted |= self._fit(name, json_value(value), columns)
        return fitted

    def _fit(self, name: str, value: Any, columns: Mapping[str, Any]) -> dict[str, Any]:
        known = self.kinds.get(name)
        try:
            self.kinds[name] = joined(known, kind_of(value))
        except MisfitError:
            text = value if isinstance(value, str) else json_text(value)
            if known in (None, "string"):
                self.kinds[name] = "string"
                return {name: text}
            return {name: None, self._text_name(name, columns): text}
        return {name: value}

    def _text_name(self, name: str, columns: Mapping[str, Any]) -> str:
        """The column for what ``name`` cannot hold: ``name_json``."""
        text_name = base = f"{name}_json"
        count = 1
        while text_name in columns or self.kinds.get(text_name, "string") != "string":
            count += 1
            text_name = f"{base}_{count}"
        self.kinds[text_name] = "string"
        return text_name


def kind_of(value: Any) -> Kind:
    """The kind of a JSON value. Raises :class:`MisfitError` for a list of several kinds."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    if isinstance(value, list):
        return {"list": _common(kind_of(item) for item in value)}
    return {"record": {name: kind_of(item) for name, item in value.items()}}


def joined(first: Kind, second: Kind) -> Kind:
    """The kind of values of both; raises :class:`MisfitError` if there is none."""
    if first is None or second is None or first == second:
        return second if first is None else first
    if isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        ((shape, ours), (_, theirs)) = (*first.items(), *second.items())
        return {shape: joined(ours, theirs) if shape == "list" else _fields(ours, theirs)}
    raise MisfitError


def _common(kinds: Iterable[Kind]) -> Kind:
    common: Kind = None
    for kind in kinds:
        common = joined(common, kind)
    return common


def _fields(ours: Mapping[str, Kind], theirs: Mapping[str, Kind]) -> dict[str, Kind]:
    fields = dict(ours)
    for name, kind in theirs.items():
        fields[name] = joined(fields.get(name), kind)
    if len(fields) > max(MAX_FIELDS, len(ours)):
        raise MisfitError
    return fields
