"""JSON Schema (draft 2020-12) of Python types: typed dictionaries, dataclasses and what they hold.

``Annotated[T, "text"]`` describes a field; ``NotRequired[T]`` is a field that may be left out. The
objects of both are closed: a field that is not declared is an error. Knows nothing of the product.
"""

from __future__ import annotations

import collections.abc
import types
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import PurePath
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from typing_extensions import NotRequired, get_type_hints, is_typeddict

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

_SCALARS: dict[Any, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}


def json_schema(kind: Any, *, identifier: str, title: str) -> Schema:
    """The schema of what a type is as JSON. Raises TypeError for a type that has none.

    Objects that are named are in ``$defs``, under the names of their classes.
    """
    definitions = _Definitions()
    body = definitions.schema(kind)
    defined = dict(sorted(definitions.found.items()))
    reference = body.get("$ref", "")
    if body.keys() == {"$ref"} and not definitions.refers_to(reference):
        body = defined.pop(_name_of(reference))
    head = {"$schema": DIALECT, "$id": identifier, "title": title}
    return {**head, **body, **({"$defs": defined} if defined else {})}


@dataclass(slots=True)
class _Definitions:
    """Gathers the schemas of classes while it translates types."""

    found: dict[str, Schema] = field(default_factory=dict)

    def refers_to(self, reference: str) -> bool:
        """Whether a schema that was found refers to another one."""
        return any(_holds(each, reference) for each in self.found.values())

    def schema(self, kind: Any) -> Schema:
        """A type, as a schema that may refer to those found."""
        if kind is Any:
            return {}
        if kind in _SCALARS:
            return {"type": _SCALARS[kind]}
        if is_typeddict(kind) or is_dataclass(kind):
            return self._class(kind)
        if isinstance(kind, type) and issubclass(kind, PurePath):
            return {"type": "string"}
        return self._composed(kind)

    def _composed(self, kind: Any) -> Schema:
        origin, arguments = get_origin(kind), get_args(kind)
        if origin is Annotated:
            return {**self.schema(arguments[0]), "description": arguments[1]}
        if origin is Literal:
            return {"enum": list(arguments)}
        if origin in (Union, types.UnionType):
            return self._union(arguments)
        if origin is tuple and Ellipsis not in arguments:
            items = [self.schema(each) for each in arguments]
            return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}
        if origin in (list, tuple, collections.abc.Sequence):
            return {"type": "array", "items": self.schema(arguments[0])}
        if origin in (dict, collections.abc.Mapping):
            return {"type": "object", "additionalProperties": self.schema(arguments[1])}
        raise TypeError(f"{kind!r} has no JSON Schema here: expected a type that JSON can hold")

    def _union(self, members: tuple[Any, ...]) -> Schema:
        schemas = [self.schema(each) for each in members]
        if all(each.keys() == {"type"} for each in schemas):
            return {"type": [each["type"] for each in schemas]}
        if all(each.keys() == {"enum"} for each in schemas):
            return {"enum": [value for each in schemas for value in each["enum"]]}
        return {"anyOf": schemas}

    def _class(self, kind: Any) -> Schema:
        name = kind.__name__
        if name not in self.found:
            self.found[name] = {}  # it may hold itself
            self.found[name] = self._object(kind)
        return {"$ref": f"#/$defs/{name}"}

    def _object(self, kind: Any) -> Schema:
        hints = get_type_hints(kind, include_extras=True)
        names = [each.name for each in fields(kind)] if is_dataclass(kind) else list(hints)
        required = [name for name in names if not _may_be_left_out(hints[name])]
        properties = {name: self.schema(_required(hints[name])) for name in names}
        described = {"description": _first_paragraph(kind)} if kind.__doc__ else {}
        closed = {"required": required, "additionalProperties": False}
        return {"type": "object", **described, "properties": properties, **closed}


def _may_be_left_out(hint: Any) -> bool:
    origin: Any = get_origin(hint)
    return origin is NotRequired


def _required(hint: Any) -> Any:
    return get_args(hint)[0] if _may_be_left_out(hint) else hint


def _first_paragraph(kind: type) -> str:
    return " ".join((kind.__doc__ or "").partition("\n\n")[0].split())


def _name_of(reference: str) -> str:
    return reference.rpartition("/")[2]


def _holds(value: Any, reference: str) -> bool:
    if isinstance(value, dict):
        return any(
            inner == reference if name == "$ref" else _holds(inner, reference)
            for name, inner in value.items()
        )
    return isinstance(value, list) and any(_holds(each, reference) for each in value)
