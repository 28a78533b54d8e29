"""Settings groups become the flags of a command, and flags become settings again.

A *flag group* is a dataclass with a field for each flag. :func:`flag_group` makes the fields from
what settings groups declare (:mod:`quest22.settings.option`); the class's own fields take
precedence, for what only the command knows. :func:`grouped` turns a command whose parameters are
flag groups into the function of single flags that Typer reads.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

from typer import Argument, Option
from typer.models import ArgumentInfo, OptionInfo

from quest22.settings import forms, option

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Settings = TypeVar("Settings", bound="DataclassInstance")
Class = TypeVar("Class", bound=type)


class FlagGroup:
    """A group of flags with values as on the command line; see :func:`flag_group`."""

    if TYPE_CHECKING:

        def __init__(self, *values: Any, **named: Any) -> None: ...

        def __getattr__(self, name: str) -> Any: ...

    def make(self, group: type[Settings], **fixed: Any) -> Settings:
        """A settings group from these flags; the values in ``fixed`` take precedence.

        Raises :class:`quest22.errors.UsageError` for invalid values.
        """
        values = {each.field: value for each, value in self._values(group, fixed)}
        return group(**values, **fixed)

    def options(self, *groups: type[DataclassInstance]) -> dict[str, Any]:
        """The same flags as options by the names that Python callers give them.

        Raises :class:`quest22.errors.UsageError` for values that cannot be read.
        """
        return {each.name: value for group in groups for each, value in self._values(group)}

    def _values(
        self, group: type[DataclassInstance], without: Container[str] = ()
    ) -> Iterator[tuple[option.Option, Any]]:
        """The options that a group and these flags share, but for fields ``without``."""
        for each in option.options_of(group):
            attribute = _attribute(each, self)
            if attribute is not None and each.field not in without:
                yield each, _read(each, getattr(self, attribute))


def flag_group(
    *groups: type[DataclassInstance], without: Container[str] = ()
) -> Callable[[Class], Class]:
    """Make a class a frozen dataclass with a field for each flag that ``groups`` declare.

    Options whose Python names are in ``without`` get none. The class's own field replaces a
    declared one of the same name (the flag's, or the settings field's); its other fields come last.
    """

    def declare(cls: Class) -> Class:
        own = inspect.get_annotations(cls)
        hints: dict[str, Any] = {}
        for each in (found for group in groups for found in option.options_of(group)):
            if each.name in without:
                continue
            name = next((name for name in _names(each) if name in own), each.parameter)
            hints[name] = own.get(name, Annotated[_type(each), _typer(each)])
            if name not in own and each.default is not MISSING:
                setattr(cls, name, _default(each))
        cls.__annotations__ = hints | own
        dataclass(frozen=True)(cls)
        return cls

    return declare


def flag(
    group: type[DataclassInstance], field: str, *names: str, **changes: Any
) -> OptionInfo | ArgumentInfo:
    """Typer's description of a declared option, for a class's own field.

    ``names`` replace the declared flags; ``changes`` are other arguments of Typer's ``Option``.
    """
    (found,) = (each for each in option.options_of(group) if each.field == field)
    return _typer(replace(found, flags=names or found.flags), **changes)


def grouped(command: Callable[..., int]) -> Callable[..., int]:
    """A command whose parameters are flag groups, as a function of single flags.

    A command with thirty flags can thus be a function of four arguments. Groups may be nested.
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


def _attribute(declared: option.Option, group: FlagGroup) -> str | None:
    return next((name for name in _names(declared) if hasattr(group, name)), None)


def _names(declared: option.Option) -> tuple[str, str]:
    return declared.parameter, declared.field


def _read(declared: option.Option, value: Any) -> Any:
    form = declared.form
    if form is not None and form.repeated:
        value = forms.split_names(value) if form.split else value or ()
    return declared.read(value)


def _type(declared: option.Option) -> Any:
    """The type that Typer converts to: text if a form or the settings check the value."""
    if declared.form is None:
        return str if declared.choices else declared.annotation
    if declared.form.repeated:
        return list[str] | None
    return str | None if declared.default_text is None else str


def _default(declared: option.Option) -> Any:
    if declared.form is None:
        return declared.default
    return None if declared.form.repeated else declared.default_text


def _typer(declared: option.Option, **changes: Any) -> OptionInfo | ArgumentInfo:
    """Typer's description of an option. A default of None is shown as what it means."""
    shown: dict[str, Any] = {"help": declared.help, "metavar": declared.metavar}
    if declared.default is MISSING or _default(declared) is None:
        shown["show_default"] = declared.unset or False
    if declared.positional:
        return Argument(**shown | changes)  # type: ignore[no-any-return]
    return Option(  # type: ignore[no-any-return]
        *declared.flags, rich_help_panel=declared.panel, **shown | changes
    )
