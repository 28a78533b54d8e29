"""Declares each option once: a field of a settings group, with its flag, help text and unit.

The command's flags (:mod:`quest22.cli.flag_groups`), the typed options of the Python API
(:mod:`quest22.options`) and the reference page (``docs/options.md``) are generated from these
declarations. The checks that settings groups share are here too: each raises :class:`UsageError`
with the option's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from numbers import Integral, Real
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    TypedDict,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from quest22.errors import UsageError
from quest22.settings.foreign_options import FOREIGN_OPTIONS
from quest22.settings.forms import Form

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from typing_extensions import Required, Unpack

Value = TypeVar("Value")
Group = TypeVar("Group", bound="DataclassInstance")

_METADATA = "option"


class Facts(TypedDict, total=False):
    """The arguments of :func:`option`; see the attributes of :class:`Option`."""

    help: Required[str]
    flags: str | tuple[str, ...]
    panel: str
    metavar: str
    unit: str
    unset: str
    form: Form
    name: str
    positional: bool


@dataclass(frozen=True, slots=True)
class Option:
    """One option: a field of a settings group, and how users set it.

    ``field`` is the field's name, ``annotation`` its type, ``default`` its default (``MISSING`` if
    it must be given). ``name`` is what Python callers write. ``flags`` are the command's names for
    it, the main one first; none if the command has no flag for it. ``positional`` makes it an
    argument of the command instead. ``panel`` is its group in ``--help``, ``unit`` the unit of its
    value, ``unset`` what None means as a default. ``form`` reads other forms of its value.
    ``help`` may hold Rich markup.
    """

    field: str
    annotation: Any
    default: Any
    help: str
    flags: tuple[str, ...] = ()
    panel: str = ""
    metavar: str | None = None
    unit: str = ""
    unset: str = ""
    form: Form | None = None
    name: str = ""
    positional: bool = False

    @property
    def parameter(self) -> str:
        """The name of the command's parameter: the main flag's, as Typer derives it."""
        if not self.flags:
            return self.name
        return self.flags[0].partition("/")[0].lstrip("-").replace("-", "_")

    @property
    def choices(self) -> tuple[str, ...]:
        """The values of a ``Literal`` type; empty for others."""
        return get_args(self.annotation) if _is_literal(self.annotation) else ()

    @property
    def default_text(self) -> str | None:
        """The default as written on the command line; None if there is none."""
        if self.default is MISSING:
            return None
        if self.form is not None:
            return self.form.write(self.default)
        return None if self.default is None else str(self.default)

    def read(self, value: Any) -> Any:
        """The field's value for a text or a value from Python.

        Raises :class:`UsageError` if it is invalid.
        """
        if self.form is None:
            return check_type(self.name, value, self.annotation)
        try:
            return self.form.read(self.name, value)
        except (TypeError, ValueError, AttributeError) as exc:
            raise UsageError(f"{self.name} is {value!r}: expected {self.form.python_type}") from exc


def option(default: Value, **facts: Unpack[Facts]) -> Value:
    """A field of a settings group with this default, declared as an option."""
    return field(default=default, metadata=declared(**facts))


def declared(**facts: Unpack[Facts]) -> dict[str, Any]:
    """The metadata of a field that is an option, for fields that :func:`option` does not suit."""
    return {_METADATA: facts}


def options_of(group: type[DataclassInstance]) -> Iterator[Option]:
    """The options that a settings group declares, in order; its other fields are internal."""
    hints = get_type_hints(group)
    for each in fields(group):
        if _METADATA not in each.metadata:
            continue
        facts = dict(each.metadata[_METADATA])
        flags = facts.pop("flags", ())
        facts.setdefault("name", each.name)
        yield Option(
            field=each.name,
            annotation=hints[each.name],
            default=each.default,
            flags=(flags,) if isinstance(flags, str) else flags,
            **facts,
        )


def take_values(group: type[DataclassInstance], options: dict[str, Any]) -> dict[str, Any]:
    """Remove the options that belong to a settings group; returns its fields' values.

    ``options`` are named and written as Python callers do. Raises :class:`UsageError` for values
    that cannot be read.
    """
    return {
        each.field: each.read(options.pop(each.name))
        for each in options_of(group)
        if each.name in options
    }


def take_group(group: type[Group], options: dict[str, Any]) -> Group:
    """Make a settings group of the options that belong to it, and remove them from ``options``.

    Raises :class:`UsageError` for invalid values.
    """
    return group(**take_values(group, options))


def refuse_unknown(options: dict[str, Any], known: type[Any]) -> None:
    """Raise :class:`UsageError` for options that belong to no group.

    ``known`` is the ``TypedDict`` of all valid names.
    """
    if not options:
        return
    name = min(options)
    near = get_close_matches(name, known.__annotations__, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "see docs/options.md for the names"
    if name in FOREIGN_OPTIONS:
        hint = f"here it is {FOREIGN_OPTIONS[name]}"
    raise UsageError(f"unknown option {name!r}: {hint}")


def check_at_least(name: str, value: float | None, least: float) -> None:
    """Refuse numbers below ``least`` and NaN; None passes."""
    if value is not None and not value >= least:
        raise UsageError(f"{name} is {value}: expected {least} or more")


def check_positive(name: str, value: float | None) -> None:
    """Refuse 0, negative numbers and NaN; None passes."""
    if value is not None and not value > 0:
        raise UsageError(f"{name} is {value}: expected a number above 0")


def check_fraction(name: str, value: float | None) -> None:
    """Refuse numbers outside 0 to 1; None passes."""
    if value is not None and not 0 <= value <= 1:
        raise UsageError(f"{name} is {value}: expected a number from 0 to 1")


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Refuse a value that is not among ``choices``."""
    if value not in choices:
        *others, last = choices
        expected = f"{', '.join(others)} or {last}"
        raise UsageError(f"{name} is {value!r}: expected {expected}")


def _is_literal(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) is Literal


_EXPECTED = {bool: "True or False", int: "a whole number", float: "a number", str: "text"}


def check_type(name: str, value: Any, annotation: Any) -> Any:
    """A value as an option of this type holds it: NumPy's numbers become Python's.

    Refuses values of other types; those of types that are not checked pass.
    """
    if get_origin(annotation) is Literal:
        annotation = str
    kinds = get_args(annotation) or (annotation,)
    if value is None and type(None) in kinds:
        return None
    kind = next((each for each in kinds if each in _EXPECTED), None)
    if kind is None or (isinstance(value, kind) and kind in (bool, str)):
        return value
    if kind in (int, float) and not isinstance(value, bool):
        if kind is int and isinstance(value, Integral):
            return int(value)
        if kind is float and isinstance(value, Real):
            return float(value)
    nothing = ", or None" if type(None) in kinds else ""
    raise UsageError(f"{name} is {value!r}: expected {_EXPECTED[kind]}{nothing}")
