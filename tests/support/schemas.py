"""Checks what is written against the published schemas."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from quest22.cli.schema import schema_of


@cache
def _validator(name: str, closed: bool) -> Draft202012Validator:
    schema = schema_of(name)
    return Draft202012Validator({**schema, "additionalProperties": False} if closed else schema)


def check(name: str, values: Any, *, closed: bool = True) -> None:
    """Fail where an object is not as its schema says; ``closed``: no column was carried along."""
    one_object = closed and "properties" in schema_of(name)
    faults = [
        f"{error.json_path}: {error.message}"
        for error in _validator(name, one_object).iter_errors(values)
    ]
    assert not faults, faults


def check_lines(name: str, lines: Iterable[str], *, closed: bool = True) -> int:
    """Check each line of JSON; how many there are."""
    count = 0
    for line in lines:
        check(name, json.loads(line), closed=closed)
        count += 1
    return count
