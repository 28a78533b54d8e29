"""One declaration for an option: the field of a settings group, with everything said about it.

The command's flags (:mod:`quest22.cli.flags`), the typed options of Python
(:mod:`quest22.options`) and the reference page (``docs/options.md``) all come from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, get_args, get_type_hints

from quest22.errors import UsageError
from quest22.settings.checks import check_type
from quest22.settings.forms import Form

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from typing_extensions import Required, Unpack

Value = TypeVar("Value")
Group = TypeVar("Group", bound="DataclassInstance")

_METADATA = "option"


class Facts(TypedDict, total=False):
    """What :func:`option` is told: see the attributes of :class:`Option`."""

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
    """One option: a field of a settings group and how users meet it.

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
        """The default as the command would be given it; None if there is none."""
        if self.default is MISSING:
            return None
        if self.form is not None:
            return self.form.write(self.default)
        return None if self.default is None else str(self.default)

    def read(self, value: Any) -> Any:
        """A value as text or as Python callers may write it, as the field holds it.

        Raises :class:`UsageError` if it cannot be read.
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

    Raises :class:`UsageError` for values that cannot be.
    """
    return group(**take_values(group, options))


def refuse_unknown(options: dict[str, Any], known: type[Any]) -> None:
    """Raise :class:`UsageError` if options are left that no group took.

    ``known`` is the ``TypedDict`` of the names that are understood.
    """
    if not options:
        return
    name = min(options)
    near = get_close_matches(name, known.__annotations__, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "see docs/options.md for the names"
    raise UsageError(f"unknown option {name!r}: {hint}")


def _is_literal(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) is Literal
