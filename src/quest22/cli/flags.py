"""Turns groups of flags into the parameters that Typer reads, and back into groups."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints


def grouped(command: Callable[..., int]) -> Callable[..., int]:
    """A command whose parameters are dataclasses of flags, as a function of single flags.

    Typer reads a function's parameters; here a parameter stands for a group of them, so that a
    command with thirty flags stays a function of four arguments. A group may hold others.
    """
    groups: dict[str, type[Any]] = get_type_hints(command)
    groups.pop("return")

    @wraps(command)
    def spread(**flags: Any) -> int:
        return command(**{name: _made(group, flags) for name, group in groups.items()})

    parameters = [each for group in groups.values() for each in _parameters(group)]
    spread.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    spread.__annotations__ = {each.name: each.annotation for each in parameters}
    return spread


def _made(group: type[Any], flags: Mapping[str, Any]) -> Any:
    hints = get_type_hints(group)
    return group(
        **{
            each.name: _made(hints[each.name], flags)
            if is_dataclass(hints[each.name])
            else flags[each.name]
            for each in fields(group)
        }
    )


def _parameters(group: type[Any]) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    for each in fields(group):
        if is_dataclass(hints[each.name]):
            yield from _parameters(hints[each.name])
            continue
        yield inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if each.default is MISSING else each.default,
            annotation=hints[each.name],
        )
