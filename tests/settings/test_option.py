from __future__ import annotations

from dataclasses import MISSING, dataclass, field
from math import nan
from typing import Literal, TypedDict

import pytest

from quest22.errors import UsageError
from quest22.settings.forms import STRIDE
from quest22.settings.option import (
    check_at_least,
    check_choice,
    check_fraction,
    check_positive,
    declared,
    option,
    options_of,
    refuse_unknown,
    take_group,
    take_values,
)


@dataclass(frozen=True, slots=True)
class Paint:
    colour: str = field(metadata=declared(help="Its colour.", positional=True))
    coats: int = option(1, flags=("--coats", "-c"), help="How many.", panel="Work", metavar="N")
    gap_s: tuple[float, float] = option(
        (2.0, 2.0), name="gap_length_s", flags="--gap-s", form=STRIDE, help="Pause.", unit="s"
    )
    finish: Literal["matt", "gloss"] = option("matt", flags="--finish", help="Which finish.")
    wet: bool = option(False, flags="--wet/--dry", help="Wet on wet.")
    batch: int = 7


class PaintOptions(TypedDict, total=False):
    coats: int
    gap_length_s: float


def test_a_declaration_is_an_ordinary_field():
    assert Paint("red") == Paint("red", 1, (2.0, 2.0), "matt", False, 7)
    assert not hasattr(Paint("red"), "__dict__")


def test_options_tell_what_was_declared():
    colour, coats, gap, finish, wet = options_of(Paint)
    assert (colour.positional, colour.default, colour.parameter) == (True, MISSING, "colour")
    assert (coats.flags, coats.panel, coats.metavar) == (("--coats", "-c"), "Work", "N")
    assert (coats.annotation, coats.default, coats.default_text) == (int, 1, "1")
    assert (gap.field, gap.name, gap.parameter) == ("gap_s", "gap_length_s", "gap_s")
    assert (gap.unit, gap.default_text) == ("s", "2")
    assert (finish.choices, coats.choices) == (("matt", "gloss"), ())
    assert wet.parameter == "wet"


def test_a_group_takes_its_own_options_by_their_names_in_python():
    options = {"colour": "red", "gap_length_s": 3, "other": 1}
    assert take_group(Paint, options) == Paint("red", gap_s=(3.0, 3.0))
    assert options == {"other": 1}
    assert take_values(Paint, {"batch": 8}) == {}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("coat", "unknown option 'coat': did you mean 'coats'?"),
        ("zzz", "see docs/options.md"),
        ("vad_filter", "unknown option 'vad_filter': here it is vad='on'"),
    ],
)
def test_unknown_options_are_refused(name, message):
    with pytest.raises(UsageError, match=message.replace("?", r"\?")):
        refuse_unknown({name: 1}, PaintOptions)
    refuse_unknown({}, PaintOptions)


@pytest.mark.parametrize(
    ("check", "arguments"),
    [
        (check_at_least, (1, 1)),
        (check_at_least, (None, 1)),
        (check_positive, (0.1,)),
        (check_positive, (None,)),
        (check_fraction, (0.0,)),
        (check_fraction, (1.0,)),
        (check_fraction, (None,)),
        (check_choice, ("on", ("off", "on"))),
    ],
)
def test_what_may_be_passes(check, arguments):
    check("it", *arguments)


@pytest.mark.parametrize(
    ("check", "arguments", "message"),
    [
        (check_at_least, (0, 1), "it is 0: expected 1 or more"),
        (check_at_least, (nan, 1), "it is nan: expected 1 or more"),
        (check_positive, (0.0,), "it is 0.0: expected a number above 0"),
        (check_positive, (nan,), "it is nan: expected a number above 0"),
        (check_fraction, (-0.1,), "it is -0.1: expected a number from 0 to 1"),
        (check_fraction, (1.1,), "it is 1.1: expected a number from 0 to 1"),
        (check_choice, ("up", ("a", "b", "c")), "it is 'up': expected a, b or c"),
    ],
)
def test_what_may_not_be_is_named(check, arguments, message):
    with pytest.raises(UsageError, match=f"^{message}$"):
        check("it", *arguments)
