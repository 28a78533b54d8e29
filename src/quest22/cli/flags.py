"""Turns groups of flags into the parameters that Typer reads, and back into groups."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from functools import wraps
from typing import Any, get_type_hints


def grouped(command: Callable[..., int]) -> Callable[..., int]:
    """A command whose parameters are dataclasses of flags, as a function of single flags.

    Typer reads a function's parameters; here a parameter stands for a group of them, so that a
    command with thirty flags stays a function of four arguments.
    """
    groups: dict[str, type[Any]] = get_type_hints(command)
    groups.pop("return")

    @wraps(command)
    def spread(**flags: Any) -> int:
        made = {
            name: group(**{each.name: flags[each.name] for each in fields(group)})
            for name, group in groups.items()
        }
        return command(**made)

    parameters = [each for group in groups.values() for each in _parameters(group)]
    spread.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    spread.__annotations__ = {each.name: each.annotation for each in parameters}
    return spread


def _parameters(group: type[Any]) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if each.default is MISSING else each.default,
            annotation=hints[each.name],
        )
        for each in fields(group)
    ]
