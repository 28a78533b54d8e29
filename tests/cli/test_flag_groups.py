from __future__ import annotations

import inspect
from dataclasses import FrozenInstanceError, dataclass, field, fields
from typing import Annotated, Literal

import pytest
from typer import Option, Typer

from quest22.cli.flag_groups import FlagGroup, flag, flag_group, grouped
from quest22.settings.forms import NAMES, STRIDE
from quest22.settings.option import declared, option


@dataclass(frozen=True)
class Colour:
    red: Annotated[int, Option(help="How red.")]
    name: Annotated[str, Option("--name", "-n")] = "none"


@dataclass(frozen=True)
class Size:
    width: Annotated[float, Option()] = 1.0


@dataclass(frozen=True)
class Frame:
    depth: Annotated[int, Option()] = 2
    size: Size = field(default_factory=Size)


def test_a_group_may_hold_others():
    seen = []

    @grouped
    def hang(frame: Frame) -> int:
        seen.append(frame)
        return 0

    assert list(inspect.signature(hang).parameters) == ["depth", "width"]
    app = Typer()
    app.command()(hang)
    app(["--width", "3"], standalone_mode=False)
    assert seen == [Frame(2, Size(3.0))]


def test_groups_become_single_flags_and_come_back():
    seen = []

    @grouped
    def paint(colour: Colour, size: Size) -> int:
        seen.append((colour, size))
        return 0

    assert list(inspect.signature(paint).parameters) == ["red", "name", "width"]
    app = Typer()
    app.command()(paint)
    app(["--red", "3", "-n", "brick"], standalone_mode=False)
    assert seen == [(Colour(3, "brick"), Size(1.0))]


@dataclass(frozen=True, slots=True)
class Wall:
    name: str = field(metadata=declared(help="Which.", positional=True))
    coats: int = option(1, flags=("--coats", "-c"), help="How many.", panel="Work")
    gap_s: tuple[float, float] = option(
        (2.0, 2.0), name="gap_length_s", flags="--gap-length-s", form=STRIDE, help="A pause."
    )
    finish: Literal["matt", "gloss"] = option("matt", flags="--finish", help="Which finish.")
    tools: tuple[str, ...] = option((), flags="--tools", form=NAMES, help="Which tools.")
    lit: bool = option(False, flags="--lit/--dark", help="By light.")
    hidden: int = 7


@flag_group(Wall)
class WallFlags(FlagGroup):
    lit: Annotated[bool | None, flag(Wall, "lit", show_default="as the day")] = None
    ladder: Annotated[int, Option(help="How high.")] = 3

    def settings(self) -> Wall:
        return self.make(Wall, lit=bool(self.lit))


def test_declared_options_become_fields_in_their_order():
    assert [each.name for each in fields(WallFlags)] == [
        "name",
        "coats",
        "gap_length_s",
        "finish",
        "tools",
        "lit",
        "ladder",
    ]
    flags = WallFlags("north")
    assert (flags.coats, flags.gap_length_s, flags.tools, flags.lit) == (1, "2", None, None)
    with pytest.raises(FrozenInstanceError):
        flags.coats = 2


def test_flags_become_settings_again():
    assert WallFlags("north").settings() == Wall("north")
    flags = WallFlags("north", 2, "1,3", "gloss", ["a,b", "c"], lit=True)
    assert flags.settings() == Wall("north", 2, (1.0, 3.0), "gloss", ("a", "b", "c"), lit=True)


def test_a_command_takes_declared_flags():
    seen = []

    @grouped
    def paint(wall: WallFlags) -> int:
        seen.append(wall.settings())
        return 0

    app = Typer()
    app.command()(paint)
    app(["north", "-c", "2", "--tools", "a,b", "--tools", "c", "--lit"], standalone_mode=False)
    assert seen == [Wall("north", 2, tools=("a", "b", "c"), lit=True)]


def test_help_shows_what_is_declared():
    found = flag(Wall, "coats")
    assert (found.help, found.rich_help_panel) == ("How many.", "Work")
    renamed = flag(Wall, "coats", "--layers")
    assert (renamed.default, renamed.help) == ("--layers", "How many.")
