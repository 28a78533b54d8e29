"""Types as JSON Schemas, and what these accept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

import pytest
from jsonschema import Draft202012Validator
from typing_extensions import NotRequired

from quest22.json_schema import DIALECT, json_schema


class Leaf(TypedDict):
    """A leaf.

    More about it.
    """

    size: NotRequired[Annotated[float, "Centimetres."]]
    colour: Literal["green", "red"]


@dataclass
class Tree:
    leaves: tuple[Leaf, ...]
    parent: Tree | None = None


def made(kind: Any) -> dict[str, Any]:
    return json_schema(kind, identifier="urn:x", title="X")


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (int, {"type": "integer"}),
        (str | None, {"type": ["string", "null"]}),
        (Path, {"type": "string"}),
        (list[bool], {"type": "array", "items": {"type": "boolean"}}),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (Mapping[str, Any], {"type": "object", "additionalProperties": {}}),
        (Literal["a"] | Literal["b"], {"enum": ["a", "b"]}),
        (
            list[int] | None,
            {"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]},
        ),
    ],
    ids=str,
)
def test_types(kind: Any, schema: dict[str, Any]) -> None:
    head = {"$schema": DIALECT, "$id": "urn:x", "title": "X"}
    assert made(kind) == head | schema


def test_an_object_is_closed_and_described() -> None:
    schema = made(Leaf)
    assert (schema["description"], schema["required"]) == ("A leaf.", ["colour"])
    assert schema["properties"]["size"] == {"type": "number", "description": "Centimetres."}
    assert "$defs" not in schema
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("value", "is_valid"),
    [
        ({"leaves": [{"colour": "red"}], "parent": {"leaves": [], "parent": None}}, True),
        ({"leaves": [{"colour": "blue"}], "parent": None}, False),
        ({"leaves": [{"colour": "red", "shape": 1}], "parent": None}, False),
        ({"leaves": []}, False),
    ],
)
def test_an_object_may_hold_itself(value: Any, is_valid: bool) -> None:
    schema = made(Tree)
    assert schema["$defs"].keys() == {"Leaf", "Tree"}
    Draft202012Validator.check_schema(schema)
    assert Draft202012Validator(schema).is_valid(value) is is_valid


def test_a_pair_has_two_items() -> None:
    check = Draft202012Validator(made(tuple[float, int]))
    assert [check.is_valid(each) for each in ([1.5, 2], [1.5], [1.5, 2, 3], ["a", 2])] == [
        True,
        False,
        False,
        False,
    ]


def test_what_json_has_not_is_refused() -> None:
    with pytest.raises(TypeError, match="no JSON Schema"):
        made(set[str])
