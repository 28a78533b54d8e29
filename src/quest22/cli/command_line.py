"""Reads arguments as people type them, before the parser sees them.

Boolean flags take a value if one is given (``--vad_filter False``, ``--overwrite=yes``), as in
programs made with ``argparse``; flags of other Whisper programs become this program's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from rich.console import Console
from typer.core import TyperCommand, TyperGroup

from quest22.cli.foreign_flags import ForeignFlag, replaced
from quest22.cli.help_page import HELP_ALL, GroupPage, HelpPage
from quest22.errors import UsageError

_WORDS = {"true": True, "false": False}
"""After a space, only these two are values: ``on`` or ``1`` might be a file."""

_VALUES = _WORDS | {
    **dict.fromkeys(("1", "yes", "y", "on"), True),
    **dict.fromkeys(("0", "no", "n", "off"), False),
}


@dataclass(slots=True)
class KnownFlags:
    """The flags of a command: ``taking`` a value, those that are ``numbers``, and boolean ones.

    ``taking`` maps a flag to what its value is called, ``numbers`` to what kind of number it is.
    ``on`` maps each spelling of a boolean flag to the one for True and the one for False, which is
    None for a flag that is False unless it is given.
    """

    taking: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, type[int] | type[float]] = field(default_factory=dict)
    on: dict[str, tuple[str, str | None]] = field(default_factory=dict)

    @classmethod
    def of(cls, parameters: Iterable[Any]) -> KnownFlags:
        """Those of a command's parameters, as Click describes them."""
        known = cls()
        for each in parameters:
            options = [name for name in getattr(each, "opts", ()) if name.startswith("-")]
            if not options:
                continue
            if not getattr(each, "is_flag", False):
                known.taking.update(dict.fromkeys(options, each.metavar or "VALUE"))
                if kind := _number_type(each):
                    known.numbers.update(dict.fromkeys(options, kind))
                continue
            others = each.secondary_opts
            negative = others[0] if others else None
            known.on.update(dict.fromkeys(options, (options[0], negative)))
            for name in others:
                known.on[name] = (name, options[0])
        return known


_NUMBER_TYPES: dict[Any, type[int] | type[float]] = {
    "integer": int, "float": float, int: int, float: float
}  # fmt: skip
_EXPECTED = {int: "a whole number", float: "a number"}


def _number_type(parameter: Any) -> type[int] | type[float] | None:
    """The number that a parameter takes, as Click says it, and as newer versions of Typer do."""
    kind = getattr(getattr(parameter, "type", None), "name", None)
    kind = kind or getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    return _NUMBER_TYPES.get(kind)


def rewrite(arguments: Sequence[str], known: KnownFlags) -> list[str]:
    """The arguments as the parser reads them. Raises :class:`UsageError` for a wrong value."""
    written: list[str] = []
    waiting = list(arguments)
    while waiting:
        argument = waiting.pop(0)
        if argument == "--":
            return [*written, argument, *waiting]
        name, equals, value = argument.partition("=")
        name = _spelt(name)
        if name in known.taking:
            if not equals and not waiting:
                raise UsageError(f"{argument} requires a value: {argument} {known.taking[name]}")
            parts = [argument] if equals else [argument, waiting.pop(0)]
            number = value if equals else parts[-1]
            # None is a number's default, as in openai/whisper.
            if not (name in known.numbers and number.lower() == "none"):
                _check_number(name, number, known)
                written += parts
        elif name in known.on:
            wanted = _boolean(argument, value if equals else None, waiting)
            _add_boolean(written, *known.on[name], wanted=wanted)
        elif foreign := replaced(name):
            shown = argument.partition("=")[0]
            given = _foreign_value(shown, foreign, value if equals else None, waiting)
            replacement = foreign.arguments(shown, given)
            for flag, text in pairwise(replacement):
                _check_number(flag, text, known)
            written += replacement
        else:
            if not argument.startswith("--"):  # -b8
                _check_number(argument[:2], argument[2:], known)
            written.append(argument)
    return written


def _check_number(flag: str, text: str, known: KnownFlags) -> None:
    """Raise :class:`UsageError` for a flag's value that should be a number and is none."""
    kind = known.numbers.get(flag)
    if kind is None:
        return
    try:
        kind(text)
    except ValueError:
        raise UsageError(f"{flag} is {text!r}: expected {_EXPECTED[kind]}") from None


def _spelt(name: str) -> str:
    return name.replace("_", "-") if name.startswith("--") else name


def _boolean(argument: str, value: str | None, waiting: list[str]) -> bool:
    """The value of a boolean flag: after ``=``, as the next argument, or True."""
    if value is not None:
        if value.lower() not in _VALUES:
            raise UsageError(f"{argument}: expected True or False after the equals sign")
        return _VALUES[value.lower()]
    if waiting and waiting[0].lower() in _WORDS:
        return _WORDS[waiting.pop(0).lower()]
    return True


def _add_boolean(written: list[str], on: str, off: str | None, *, wanted: bool) -> None:
    """The last word on a flag counts; one without a negative form is taken back."""
    if wanted:
        written.append(on)
    elif off is not None:
        written.append(off)
    else:
        written[:] = [each for each in written if each != on]


def _foreign_value(
    written: str, flag: ForeignFlag, value: str | None, waiting: list[str]
) -> str | bool:
    if flag.boolean:
        return _boolean(written, value, waiting)
    if value is not None:
        return value
    if not waiting:
        raise UsageError(f"{written} requires a value")
    return waiting.pop(0)


class TolerantCommand(TyperCommand):
    """A command whose arguments :func:`rewrite` reads first; its help is a :class:`HelpPage`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given = rewrite(args, KnownFlags.of(self.params))
        options = given[: given.index("--")] if "--" in given else given
        if HELP_ALL in options:
            ctx.meta[HELP_ALL] = True
            given = ["--help"]
        return super().parse_args(ctx, given)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        page = HelpPage(self, ctx, everything=HELP_ALL in ctx.meta)
        Console(highlight=False).print(page, soft_wrap=False)


class CommandGroup(TyperGroup):
    """A command with commands of its own; its help is a :class:`GroupPage`."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        Console(highlight=False).print(GroupPage(self, ctx), soft_wrap=False)
